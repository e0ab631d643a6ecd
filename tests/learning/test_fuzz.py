"""Whatever is asked for: both engines reach the same verdicts, and the scripts end well or with one line."""

import io
import re
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.conditions import make_condition
from tests.helpers.scripts import ROOT
from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import experiment as checked
from timing_tasks.cli.start import told
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, GRADIENTS, Condition
from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.population import Population, State, Verdict
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
    task = draw(tasks())
    known = [name for name in INITIAL_STATE_NAMES if name != "fixed" or task.has_dense_targets]
    initial_state = draw(st.sampled_from(known))
    readings["state_carried_over"] = initial_state == "zero" and draw(st.booleans())
    return make_condition(
        task,
        learning_rate=10.0 ** draw(st.integers(-5, 300)) if draw(st.booleans()) else 10.0 ** draw(st.integers(-5, 3)),
        momentum=draw(st.sampled_from([0.0, 0.9, 0.9999])),
        streams=draw(st.integers(1, 40)),
        net_steps=draw(st.integers(1, 3000)),
        readings=readings,
        peepholes=draw(st.booleans()),
        forget_gate=draw(st.booleans()),
        output_activation=draw(st.sampled_from(["sigmoid", "identity"])),
        initial_state=f"{initial_state} 0.3" if initial_state in ("noisy", "fixed") else initial_state,
    )


@settings(FUZZ, max_examples=30)
@given(st.lists(conditions(), min_size=1, max_size=12), st.integers(0, 2**32 - 1), st.data())
def test_the_engines_reach_the_same_verdicts_for_any_population(some: list[Condition], seed: int, data: st.DataObject):
    pytest.importorskip("_timing_tasks_native", reason="installed without a C++ compiler")
    people = Population.of(some, [(c, r) for c in range(len(some)) for r in range(2)], seed)
    state = State.initial(people)
    for row, column in data.draw(st.lists(st.tuples(st.integers(0, len(people) - 1), st.integers(0, 18)), max_size=3)):
        state.weights[row, column] = data.draw(st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308]))
    native, slow = state.clone(), state.clone()
    create("native", threads=2).run(people, native, 10**6)
    assert (native.verdict != Verdict.RUNNING).all()  # every budget ends
    create("torch").run(people, slow, 250)
    create("native", threads=1).run(people, state, 250)
    # Where a net diverges, rounding decides the step at which its weights cease to be finite; elsewhere nothing may
    # differ.
    calm = (
        torch.isfinite(state.weights).all(1) & torch.isfinite(slow.weights).all(1) & (state.weights.abs().amax(1) < 1e3)
    )
    rates = torch.tensor([some[int(c)].protocol.learning_rate for c in people.condition])
    calm &= rates <= 1e-2
    for name in ("verdict", "phase", "training_streams", "test_stream", "period", "step", "net_steps", "test_size"):
        assert torch.equal(getattr(state, name)[calm], getattr(slow, name)[calm]), name
    assert torch.allclose(state.weights[calm], slow.weights[calm], rtol=1e-6, atol=1e-9)


@settings(FUZZ, max_examples=200)
@given(st.data())
def test_a_state_with_any_counters_is_run_or_refused(data: st.DataObject):
    native = pytest.importorskip("timing_tasks.learning.online.native", reason="installed without a C++ compiler")
    people = Population.of(
        [make_condition(Task("msd", 3, (0, 1)), streams=5), make_condition(Task("gts", 2, (0,)))], [(0, 0), (1, 0)], 1
    )
    state = State.initial(people)
    for name in data.draw(
        st.sets(st.sampled_from(["phase", "test_stream", "period", "step", "training_streams", "verdict", "targets"]))
    ):
        getattr(state, name)[data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from([-(2**63), -1, 1, 2, 3, 99, 2**31, 2**62])
        )
    refusal = ""
    try:
        native.NativeEngine(1).run(people, state, 100)
    except ValueError as error:
        refusal = str(error)
    assert refusal in ("", "state: a counter is out of range")


KEYS = (
    *(
        "replicas",
        "seed",
        "peepholes",
        "forget_gate",
        "output_activation",
        "output",
        "title",
        "tables",
        "figures",
        "name",
        "task",
    ),
    *(
        "task.min_interval",
        "task.offsets",
        "task.tolerance",
        "task.waveform",
        "task.period",
        "protocol",
        "protocol.learning_rate",
    ),
    *(
        "protocol.momentum",
        "protocol.update",
        "protocol.first_phase",
        "protocol.gts_input",
        "protocol.error_factor",
        "budget",
    ),
    *(
        "budget.training_streams",
        "budget.net_steps",
        "engine",
        "engine.threads",
        "trainer",
        "trainer.devices",
        "initial_state",
    ),
    *(
        "trainer.num_nodes",
        "trainer.accelerator",
        "initial_state.deviation",
        "recipe",
        "conditions",
        "nonsense",
        "+new",
        "~task",
        "",
    ),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "null",
            "true",
            "[true,false]",
            "nan",
            "inf",
            "-1",
            "0",
            "1e400",
            "[]",
            "[0,1]",
            "{}",
            "{a:1}",
            "${seed}",
            "???",
        ]
    ),
    st.sampled_from(
        [
            "pfg",
            "gts",
            "native",
            "torch",
            "printed",
            "paper",
            "processes",
            "gpus",
            "cos",
            "learned",
            "noisy",
            "auto",
            "\u03b1",
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)


GOOD = (
    *(
        "seed=3",
        "replicas=7",
        "task=gts",
        "task=msd",
        "protocol=printed",
        "budget=paper",
        "engine=torch",
        "trainer=processes",
    ),
    *(
        "initial_state=noisy",
        "peepholes=[true,false]",
        "forget_gate=false",
        "task.min_interval=4",
        "protocol.momentum=0.5",
    ),
    *(
        "budget.training_streams={nmsd:5,msd:6,gts:7,pfg:8}",
        "engine.threads=2",
        "trainer.devices=3",
        "output=some/where",
    ),
)


def test_any_overrides_are_a_configuration_or_one_line(monkeypatch: pytest.MonkeyPatch):
    ends: set[object] = set()

    @settings(FUZZ, max_examples=50)
    @given(
        st.lists(st.one_of(st.sampled_from(GOOD), st.tuples(st.sampled_from(KEYS), VALUES).map("=".join)), max_size=3)
    )
    def check(overrides: list[str]) -> None:
        errors, end = io.StringIO(), None
        monkeypatch.setattr(sys, "argv", ["condition.py", *overrides])
        monkeypatch.setattr(sys, "stderr", errors)
        try:
            with told():
                checked(Call("condition", ROOT, tuple(overrides)).config())
        except SystemExit as stop:
            end = stop.code
        assert end in (None, 2)
        line = r"condition\.py: [^\n]*\n" if end else ""
        assert re.fullmatch(r"(warning: [^\n]*\n)?" + line, errors.getvalue()), errors.getvalue()
        ends.add(end)

    check()
    assert ends == {None, 2}
