"""Random tasks, conditions and populations, for hypothesis."""

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.helpers.conditions import make_condition
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, GRADIENTS, Condition
from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES
from timing_tasks.learning.online.population import Population, State
from timing_tasks.tasks import Task

FUZZ = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
BOOLEANS = ("update_without_target", "update_when_wrong", "momentum_carried_over", "training_between_tests")


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    name = draw(st.sampled_from(["nmsd", "msd", "gts", "pfg"]))
    if name == "pfg":
        waveform = draw(st.sampled_from(["cos", "tri", "rect"]))
        period = draw(st.integers(2, 9))
        return Task(name, period, (), waveform, 0.3, first_phase=draw(st.integers(0, period - 1)))
    offsets = tuple(sorted(draw(st.sets(st.integers(0, 5), min_size=1, max_size=4))))
    shown = draw(st.sampled_from(["throughout", "first_step"])) if name == "gts" else "throughout"
    return Task(name, draw(st.integers(1, 9)), offsets, first_spike_later=draw(st.integers(0, 1)), gts_input=shown)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    readings: dict[str, object] = {name: draw(st.booleans()) for name in BOOLEANS}
    readings |= {"update": draw(st.sampled_from(["step", "stream"])), "error_factor": draw(st.sampled_from([0.5, 1.0]))}
    readings |= {
        "cell_output_activation": draw(st.sampled_from(CELL_OUTPUT_ACTIVATIONS)),
        "gradient": draw(st.sampled_from(GRADIENTS)),
    }
    initial_state = draw(st.sampled_from(INITIAL_STATE_NAMES))
    readings["state_carried_over"] = initial_state == "zero" and draw(st.booleans())
    return make_condition(
        draw(tasks()),
        learning_rate=10.0 ** draw(st.integers(-5, 300)) if draw(st.booleans()) else 10.0 ** draw(st.integers(-5, 3)),
        momentum=draw(st.sampled_from([0.0, 0.9, 0.9999])),
        streams=draw(st.integers(1, 40)),
        net_steps=draw(st.integers(1, 3000)),
        readings=readings,
        peepholes=draw(st.booleans()),
        forget_gate=draw(st.booleans()),
        output_activation=draw(st.sampled_from(["sigmoid", "identity"])),
        initial_state="noisy 0.3" if initial_state == "noisy" else initial_state,
    )


@st.composite
def populations(draw: st.DrawFn) -> tuple[Population, State]:
    """Two replicas of each of some conditions, some weights of which are not finite or far too large."""
    some = draw(st.lists(conditions(), min_size=1, max_size=12))
    people = Population.of(some, [(c, r) for c in range(len(some)) for r in range(2)], draw(st.integers(0, 2**32 - 1)))
    state = State.initial(people)
    places = st.tuples(st.integers(0, len(people) - 1), st.integers(0, 18))
    for row, column in draw(st.lists(places, max_size=3)):
        state.weights[row, column] = draw(st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e308]))
    return people, state
