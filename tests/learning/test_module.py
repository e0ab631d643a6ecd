"""The TimingModule and the data module with everything that a Lightning user expects of them."""

import csv
import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from tests.helpers.modules import ADAM, CausalTransformer, OwnLayer, data, module, net, trainer, weights
from tests.helpers.scripts import ROOT
from timing_tasks import PeepholeLSTM, TimingModule, TimingNet
from timing_tasks.errors import ConfigurationError, UserError

METRICS = {"train/loss", "train/solved", "train/stream_size", "train/rmse", "val/solved", "val/stream_size", "val/rmse"}


def test_it_learns_and_early_stopping_ends_the_fit(tmp_path: Path):
    best = ModelCheckpoint(tmp_path, monitor="val/solved", mode="max", filename="best")
    stopping = EarlyStopping("val/solved", mode="max", stopping_threshold=0.99, patience=100)  # it compares strictly
    mine, streams = module(loss="whole"), data(batch_size=16, periods=10, batches_per_epoch=50)
    fit = trainer(max_steps=2000, callbacks=[stopping, best], enable_checkpointing=True)
    fit.fit(mine, streams)
    assert fit.callback_metrics["val/solved"] == 1.0
    assert fit.global_step < 2000
    (result,) = fit.test(mine, streams, verbose=False)
    assert result["test/solved"] == 1.0
    assert result["test/stream_size"] == 1000.0
    assert result["test/rmse"] < 0.49

    loaded = TimingModule.load_from_checkpoint(best.best_model_path, net=net(), optimizer=ADAM)
    batch = next(iter(streams.test_dataloader()))
    assert torch.equal(loaded.eval()(batch.inputs), mine.eval()(batch.inputs))
    assert (loaded.loss, loaded.hparams["loss"]) == ("whole", "whole")


def test_every_logger_gets_every_metric(tmp_path: Path):
    loggers = [CSVLogger(tmp_path, name="csv", version=""), TensorBoardLogger(tmp_path, name="board", version="")]
    fit = trainer(logger=loggers, log_every_n_steps=1)
    fit.fit(module(), data())
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        assert set(csv.DictReader(file).fieldnames or ()) >= METRICS
    board = EventAccumulator(str(tmp_path / "board"))
    board.Reload()
    assert set(board.Tags()["scalars"]) >= METRICS
    assert set(fit.callback_metrics) >= METRICS


def test_validate_test_and_predict():
    mine, streams = module(), data(task="gts", min_interval=3)
    (validated,) = trainer().validate(mine, streams, verbose=False)
    assert set(validated) == {"val/solved", "val/stream_size", "val/rmse"}
    (tested,) = trainer().test(mine, streams, verbose=False)
    assert set(tested) == {"test/solved", "test/stream_size", "test/rmse"}
    (outputs,) = trainer().predict(mine, streams)
    batch = next(iter(streams.test_dataloader()))
    assert torch.equal(outputs, mine(batch.inputs))


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        ({"fast_dev_run": True}, 1),
        ({"limit_train_batches": 3, "max_steps": -1, "max_epochs": 2}, 6),
        ({"max_time": {"seconds": 0}}, 0),
        ({"gradient_clip_val": 1e-3}, 10),
        ({"accumulate_grad_batches": 2, "max_steps": -1, "max_epochs": 1}, 3),
        ({"precision": "bf16-mixed"}, 10),
        ({"precision": "64-true"}, 10),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_the_trainer_can_do(arguments: dict[str, object], steps: int):
    fit, mine = trainer(**arguments), module()
    before = weights(mine)
    fit.fit(mine, data())
    assert fit.global_step == steps
    assert torch.equal(weights(mine), before.to(weights(mine))) == (steps == 0)


def test_clipping_is_that_of_lightning():
    mine = module(optimizer=functools.partial(torch.optim.SGD, lr=1.0))
    before = weights(mine)
    trainer(max_steps=1, gradient_clip_val=1e-3).fit(mine, data())
    assert float((weights(mine) - before).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_a_compiled_net():
    mine, plain = module(torch.compile(net(), backend="eager")), module()
    for one in (mine, plain):
        trainer(max_steps=3).fit(one, data())
    torch.testing.assert_close(weights(mine), weights(plain))


LAYERS = {
    "LSTM": lambda: TimingNet(nn.LSTM(1, 4, batch_first=True), initial_state="learned"),
    "GRU": lambda: TimingNet(nn.GRU(1, 4, num_layers=2, batch_first=True), initial_state="noisy"),
    "transformer": lambda: TimingNet(CausalTransformer(), features=8),
    "own": lambda: TimingNet(OwnLayer(), features=3, output_activation="identity"),
    "net": lambda: nn.Sequential(OwnLayer(5), nn.Linear(5, 1)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_any_net_trains(layer: str):
    torch.manual_seed(1)
    mine = module(LAYERS[layer]())
    before = weights(mine)
    fit = trainer()
    fit.fit(mine, data(num_workers=2 if layer == "own" else 0))
    assert not torch.equal(weights(mine), before)
    assert set(fit.callback_metrics) >= METRICS


@pytest.mark.parametrize(
    "scheduler",
    [
        functools.partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5),
        functools.partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.5, threshold=10.0),
    ],
)
def test_a_scheduler_is_stepped(scheduler: object):
    fit = trainer()
    fit.fit(module(scheduler=scheduler), data())
    assert fit.optimizers[0].param_groups[0]["lr"] < 0.01


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork"])
def test_two_processes_train_one_net(strategy: str, tmp_path: Path):
    alone, together = module(), module()
    trainer().fit(alone, data(batch_size=4))
    fit = trainer(strategy=strategy, devices=2, enable_checkpointing=True, default_root_dir=tmp_path, logger=False)
    fit.fit(together, data(batch_size=2))
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-4, atol=1e-6)  # the same streams in all
    assert set(fit.callback_metrics) >= METRICS


SCRIPT = """
import sys
import torch
from tests.helpers.modules import data, module, trainer, weights

together, fit = module(), trainer(strategy="ddp", devices=2)
fit.fit(together, data(batch_size=2))
if fit.is_global_zero:
    torch.save(weights(together), sys.argv[1])
"""


def test_a_script_that_lightning_starts_once_more_trains_one_net_in_two_processes(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", "weights.pt"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
    alone = module()
    trainer().fit(alone, data(batch_size=4))
    torch.testing.assert_close(torch.load(tmp_path / "weights.pt"), weights(alone), rtol=1e-4, atol=1e-6)


class Stop(L.Callback):
    """Interrupts a fit after a step, having written a checkpoint."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_fit_ends_with_the_same_weights(workers: int, tmp_path: Path):
    path, whole = tmp_path / "c.ckpt", module()
    trainer(max_steps=14).fit(whole, data(num_workers=workers))
    trainer(max_steps=14, callbacks=[Stop(7, path)]).fit(module(), data(num_workers=workers))
    resumed = module()
    fit = trainer(max_steps=14)
    fit.fit(resumed, data(num_workers=workers), ckpt_path=path)
    assert fit.global_step == 14
    assert torch.equal(weights(resumed), weights(whole))


def test_the_lightning_cli(monkeypatch: pytest.MonkeyPatch):
    cli = pytest.importorskip("lightning.pytorch.cli")
    pytest.importorskip("jsonargparse")
    from timing_tasks import TimingDataModule

    class Mine(TimingModule):
        def __init__(self, hidden_size: int = 2) -> None:
            super().__init__(TimingNet(PeepholeLSTM(1, hidden_size, batch_first=True)), ADAM)

    arguments = ["fit", "--data.task", "msd", "--data.batch_size", "2", "--model.hidden_size", "3"]
    arguments += ["--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"]
    made = cli.LightningCLI(Mine, TimingDataModule, args=arguments, save_config_callback=None)
    assert made.datamodule.task.name == "msd"
    assert made.model.net.layer.hidden_size == 3
    assert made.trainer.global_step == 1


class Backward(OwnLayer):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flip(1)).flip(1)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"of": nn.Linear(1, 2)}, r"net='Linear': gives shape \(2, 12, 2\)"),
        ({"of": nn.Linear(3, 1)}, r"net='Linear': does not run"),
        ({"of": nn.Sequential(Backward(), nn.Linear(3, 1))}, "net='Sequential': depends on later inputs"),
        ({"loss": "squared"}, "loss='squared': until_wrong or whole"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_training(arguments: dict[str, object], why: str):
    with pytest.raises(ConfigurationError, match=why) as raised:
        trainer().fit(module(**arguments), data())
    assert "\n" not in str(raised.value)


def test_a_metric_that_there_is_not_is_refused_before_training():
    with pytest.raises(ConfigurationError, match=r"monitor='val/solvd': one of train/loss"):
        trainer(callbacks=[EarlyStopping("val/solvd")]).fit(module(), data())


def test_a_loss_that_is_not_finite_ends_the_fit():
    wild = module(LAYERS["own"](), optimizer=functools.partial(torch.optim.SGD, lr=1e30))
    with pytest.raises(UserError, match=r"train/loss is (nan|inf) after \d+ steps of the optimiser: a smaller"):
        trainer().fit(wild, data())


def test_a_net_runs_no_further_than_its_streams_count():
    mine, streams = module(), data(task="gts", min_interval=40, periods=50, batch_size=2)
    batch = next(iter(streams.train_dataloader()))
    nn.init.constant_(mine.net.output.bias, math.inf)  # wrong at the first step
    part, outputs, judgement = mine.follow(batch)
    assert outputs.size(1) == part.steps == 64 < batch.steps
    assert judgement.steps.tolist() == [1, 1]
    assert module(loss="whole").follow(batch)[0].steps == batch.steps
