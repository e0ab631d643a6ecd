"""From a composed config to conditions: values by task, by F and by kind of net, and what a row says of them."""

import hydra
import pytest

from tests.helpers.scripts import ROOT
from timing_tasks.cli.config import conditions
from timing_tasks.conditions.condition import Condition
from timing_tasks.errors import ConfigurationError
from timing_tasks.results.description import describe


def composed(*overrides: str) -> tuple[Condition, ...]:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        return conditions(hydra.compose("condition", overrides=list(overrides)))


@pytest.mark.parametrize(("interval", "rate"), [(10, 2e-4), (40, 3e-5)])
def test_a_value_may_be_given_by_task_and_by_f(interval: int, rate: float):
    (found,) = composed(
        f"task.min_interval={interval}",
        "peepholes=true",
        "++protocol.learning_rate=null",
        "protocol.learning_rate={nmsd: {10: 2e-4, 40: 3e-5}, gts: 1e-5}",
    )
    assert found.protocol.learning_rate == rate
    (spikes,) = composed("task=gts", "peepholes=true", "++protocol.momentum=null", "protocol.momentum={gts: 0.5}")
    assert spikes.protocol.momentum == 0.5


def test_an_f_that_is_missing_is_named():
    with pytest.raises(ConfigurationError) as raised:
        composed("task.min_interval=20", "++protocol.learning_rate=null", "protocol.learning_rate={nmsd: {10: 2e-4}}")
    assert raised.value.key == "protocol.learning_rate"
    assert "for nmsd a number, or one for each F; F=20 is missing" in str(raised.value)


def test_the_cell_output_activation_may_be_given_by_kind_of_net():
    squashed = "protocol.cell_output_activation={lstm: centred_logistic, peephole_lstm: identity}"
    found = composed("peepholes=[true,false]", "++protocol.cell_output_activation=null", squashed)
    assert [(c.peepholes, c.protocol.cell_output_activation) for c in found] == [
        (True, "identity"),
        (False, "centred_logistic"),
    ]
    assert [c.columns["readings"] for c in found] == ["", "cell_output_activation=centred_logistic"]
    described = list(describe(found).values())
    assert ["cell_output_activation" in one["protocol"] for one in described] == [False, True]  # type: ignore[index]


def test_the_streams_readings_and_the_nets_stand_side_by_side_in_a_row():
    (found,) = composed(
        *("task=pfg", "peepholes=true", "protocol.first_phase=7", "protocol.cell_output_activation=centred_logistic")
    )
    assert found.task.first_phase == 7
    assert found.columns["readings"] == "first_phase=7 cell_output_activation=centred_logistic"


def test_an_entry_may_list_phases_and_initial_states_with_their_deviations():
    entry = "{name: pfg, waveform: cos, period: 10, first_phase: [0, 4], initial_state: [zero, fixed 0.5]}"
    found = composed("peepholes=true", f"++conditions=[{entry}]")
    assert [(c.task.first_phase, str(c.initial_state)) for c in found] == [
        *((0, "zero"), (0, "fixed 0.5"), (4, "zero"), (4, "fixed 0.5")),
    ]
    assert [c.protocol.first_phase for c in found] == [0, 0, 4, 4]
    with pytest.raises(ConfigurationError, match="first_phase=1: no such key"):
        composed("++conditions=[{name: nmsd, min_interval: 10, offsets: [0, 1], first_phase: 1}]")
    with pytest.raises(ConfigurationError, match=r"above 0 for fixed"):
        composed("++conditions=[{name: pfg, waveform: cos, period: 10, initial_state: [fixed -1.0]}]")


def test_other_layers_have_no_such_cell_output():
    found = composed("recipe=bptt", "model=lstm", "protocol.cell_output_activation=centred_logistic")
    assert {c.protocol.cell_output_activation for c in found} == {"identity"}
