"""A user's mistakes on the command line: one line each, before anything is written."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT

MISTAKES = [
    ("replcas=3", "replcas", "did you mean replicas"),
    ("protocol.forget_gate_bais=2", "protocol.forget_gate_bais", "did you mean protocol.forget_gate_bias"),
    ("task.offsets=[]", "task.offsets", "whole numbers from 0"),
    ("task.offsets=[-1,0]", "task.offsets", "whole numbers from 0"),
    ("task.offsets=[0,1", "task.offsets", "[0,1"),
    ("task.min_interval=0", "task.min_interval", "from 1"),
    ("task.min_interval=ten", "task.min_interval", "from 1"),
    ("replicas=0", "replicas", "from 1"),
    ("protocol.learning_rate=0", "protocol.learning_rate", "above 0"),
    ("protocol.learning_rate=nan", "protocol.learning_rate", "above 0"),
    ("protocol.momentum=1", "protocol.momentum", "not including, 1"),
    ("protocol.momentum=-0.1", "protocol.momentum", "not including, 1"),
    ("protocol=papers", "protocol", "closest, printed"),
    ("task=lsd", "task", "gts, msd, nmsd, pfg"),
    ("task=pfg task.waveform=saw", "task.waveform", "cos, tri, rect"),
    ("task=pfg task.period=0", "task.period", "from 1"),
    ("task=pfg task.offsets=[0]", "task.offsets", "task.period"),
    ("forget_gate=none", "forget_gate", "true, false or"),
    ("initial_state=warm", "initial_state", "learned, learned_cell_output"),
    ("initial_state=noisy initial_state.deviation=-1", "initial_state.deviation", "above 0"),
    ("initial_state.deviation=0.5", "initial_state.deviation", "unless the initial state is noisy"),
    ("initial_state=noisy initial_state.deviation=loud", "initial_state.deviation", "above 0"),
    ("engine=cuda", "engine", "native, torch"),
    ("engine.threads=0", "engine.threads", "from 1"),
    ("seed=-1", "seed", "from 0"),
    ("budget.training_streams=0", "budget.training_streams", "from 1"),
    ("trainer.accelerator=tpu", "trainer.accelerator", "cpu or gpu"),
    ("trainer=gpus", "trainer.accelerator", "gpu"),
    ("trainer.devices=0", "trainer.devices", "from 1"),
    ("trainer=processes trainer.num_nodes=0", "trainer.num_nodes", "from 1"),
    ("trainer=cluster", "trainer", "cpu"),
    ("output_activation=relu", "output_activation", "sigmoid"),
    ("peepholes=maybe", "peepholes", "true, false"),
    ("tables=[comparision]", "tables", "comparison, variants"),
    ("tables=comparison", "tables", "a list of"),
    ("tables={a:1}", "tables", "a list of"),
    ("tables=[comparison],[x] -m", "tables", "a list of"),
    ("protocol.learing_rate={nmsd:1}", "protocol.learing_rate", "did you mean protocol.learning_rate"),
    ("recipe=bptt recipe.optimizer.betas=[0.9,0.9]", "recipe.optimizer.betas", "no such key"),
    ("protocol.learning_rate=[1]", "protocol.learning_rate", "above 0"),
    ("output=runs/9=b", "output", "if that is a text, write 'output="),
    ("output=runs/one seed=1,2 -m", "output", "differ (seed: 1 there, 2 here); left out"),
    ("output=runs/one budget=short,quick -m", "output", "budget.net_steps: 500000000 there, 100000000 here"),
    ("figures=[figure4]", "figures", "streams_against_interval"),
    ("title=null", "title", "a text"),
    ("title=2002", "title", "a text"),
    ("protocol={learning_rate:0.1}", "protocol", "one of closest, printed; single values"),
    ("protocol.name=printed", "protocol.name", "cannot be changed"),
    ("protocol.update=never", "protocol.update", "step or stream"),
    ("protocol.first_phase=-1", "protocol.first_phase", "from 0"),
    ("task=pfg protocol.first_phase=10", "protocol.first_phase", "from 0 to 9"),
    ("protocol.cell_output_activation=tanh", "protocol.cell_output_activation", "identity or centred_logistic, or one"),
    ("protocol.cell_output_activation={lstm:identity}", "protocol.cell_output_activation", "lstm and peephole_lstm"),
    ("protocol.gradient=exact", "protocol.gradient", "truncated or full"),
    ("protocol.initial_weight_range=0", "protocol.initial_weight_range", "above 0"),
    ("protocol.state_carried_over=1", "protocol.state_carried_over", "true or false"),
    ("protocol.state_carried_over=true initial_state=learned", "protocol.state_carried_over", "false for the initial"),
    ("protocol.learning_rate={nmsd:{20:1e-4}}", "protocol.learning_rate", "F=10 is missing"),
    ("protocol.momentum={gts:{10:0.9}}", "protocol.momentum", "nmsd is missing"),
    ("protocol.momentum={nmsd:{10:1}}", "protocol.momentum", "not including, 1"),
    ("protocol.update_when_wrong=maybe", "protocol.update_when_wrong", "true or false"),
    ("task=null", "task", "gts, msd"),
    ("recipe=rtrl", "recipe", "bptt, bptt_cells, bptt_intervals, online"),
    ("recipe.streams=2", "recipe.streams", "no such key"),
    ("recipe=bptt trainer=gpus", "trainer.accelerator", "sees no GPU here"),
    ("recipe=bptt recipe.streams=0", "recipe.streams", "from 1"),
    ("recipe=bptt recipe.clip=-1", "recipe.clip", "above 0"),
    ("recipe=bptt recipe.optimizer._target_=torch.optim.Adamm", "recipe.optimizer", "cannot be made"),
    ("recipe=bptt recipe.optimizer.lr=-1", "recipe.optimizer", "cannot be made"),
    (
        "recipe=bptt recipe.scheduler={_target_:torch.optim.lr_scheduler.ReduceLROnPlateau}",
        "recipe.scheduler",
        "only counts",
    ),
    (
        "recipe=bptt recipe.scheduler={_target_:torch.optim.lr_scheduler.StepLR,step_size:0}",
        "recipe.scheduler",
        "cannot make a step",
    ),
    ("recipe=bptt recipe.optimizer.lr=inf", "recipe.optimizer.lr", "a finite number"),
    ("recipe=bptt recipe.optimizer.momentum=nan", "recipe.optimizer.momentum", "a finite number"),
    ("recipe=bptt model=custom model.target=sys.exit", "model.target", "not a class of torch.nn.Module"),
    ("recipe=bptt model=custom model.target=torch.nn.Linear model.arguments={width:4}", "model.target", "width"),
    ("recipe=bptt recipe.clip={gts:1}", "recipe.clip", "nmsd is missing"),
    ("model=gru", "model", "peephole_lstm 1, the paper's net, alone; add recipe=bptt"),
    ("model.hidden_size=2", "model", "peephole_lstm 1, the paper's net, alone; add recipe=bptt"),
    ("model=rnn", "model", "custom, gru, lstm, peephole_lstm"),
    ("recipe=bptt model=gru model.hidden_size=0", "model.hidden_size", "from 1"),
    (
        "recipe=bptt model=gru initial_state=learned_cell_state",
        "initial_state",
        "zero, learned, constant_input or noisy",
    ),
    ("recipe=bptt model=gru recipe.truncated=true", "recipe.truncated", "no cells"),
    ("recipe=bptt model=custom model.target=no.such.Net", "model.target", "cannot be imported"),
    (
        "recipe=bptt model=custom model.target=torch.nn.Identity initial_state=learned",
        "initial_state",
        "zero for the model",
    ),
    ("output=???", "output", "output"),
    ("output=${nope}", "nope", "nope"),
    ("task.tolerance=inf", "task.tolerance", "above 0"),
    ("seed=1,2", "seed", "Ambiguous"),
    ("seed=1,-2 -m", "seed", "from 0"),
    ("seed=1,2 replcas=3 -m", "replcas", "did you mean replicas"),
    ("seed=interval(1,3) -m", "seed", "lists its values"),
    ("protocol=glob(*) -m", "protocol", "lists its values"),
    ("+colour=red", "colour", "not added"),
    ("nonsense", "nonsense", "key=value"),
]


@pytest.mark.parametrize(("override", "key", "allowed"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    override: str,
    key: str,
    allowed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    script = str(ROOT / "reproduce" / "condition.py")
    monkeypatch.setattr(sys, "argv", [script, *override.split()])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:  # in this process: there are many of them
        runpy.run_path(script, run_name="__main__")
    told = capsys.readouterr()
    assert end.value.code == 2
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert key in told.err
    assert allowed in told.err
    assert list(tmp_path.iterdir()) == []
