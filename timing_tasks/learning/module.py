"""A timing task in Lightning: any net, trained by any optimiser of torch through time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import MetricCollection

from timing_tasks.data import Batch
from timing_tasks.errors import ConfigurationError, UserError
from timing_tasks.learning.judgement import Judgement, judge, mean_loss
from timing_tasks.learning.metrics import stream_metrics

LOSSES = ("until_wrong", "whole")
METRICS = ("loss", "solved", "stream_size", "rmse")
_FIRST_STEPS = 64  # that a net runs along a stream before it is looked at
_PROBE = (2, 12, 1)  # batch, time, features

OptimizerCallable = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
SchedulerCallable = Callable[[torch.optim.Optimizer], LRScheduler | ReduceLROnPlateau]


class TimingModule(L.LightningModule):
    """A net that learns a timing task by back-propagation through time (automatic optimisation).

    The loss of a stream is ½(d - z)², averaged over the targets up to its first wrong prediction, with which a stream
    ends in the paper. So a net runs along the first steps of its streams, along twice as many while one of them is
    still right, and so on: a net that is soon wrong costs little.

    It logs `train/loss`, and under `train/`, `val/` and `test/` `solved` (the share of streams that are right
    throughout), `stream_size` (periods before the first wrong prediction) and `rmse` (over all processes).

    Args:
        net: any causal module from (N, T, 1) to (N, T, 1), such as a `TimingNet`.
        optimizer: makes the optimiser of the parameters.
        scheduler: makes its scheduler, which is stepped with each of its steps; `ReduceLROnPlateau` after each
            validation instead, by `val/rmse`.
        loss: `until_wrong`, as above; `whole`: over all targets of a stream.

    Raises:
        ConfigurationError: an unknown loss; and, as a fit begins, a net that gives another shape or is not causal, or a
            callback that monitors what is not logged.

    Example:
        >>> import lightning as L, torch
        >>> from timing_tasks import PeepholeLSTM, TimingDataModule, TimingModule, TimingNet
        >>> data = TimingDataModule("nmsd", min_interval=3, batch_size="all", batches_per_epoch=1)
        >>> net = TimingNet(PeepholeLSTM(1, 4, batch_first=True))
        >>> module = TimingModule(net, lambda parameters: torch.optim.Adam(parameters, lr=0.01))
        >>> quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        >>> trainer = L.Trainer(max_steps=2, accelerator="cpu", enable_checkpointing=False, **quiet)
        >>> trainer.fit(module, data)
        >>> sorted(trainer.callback_metrics)[-3:]
        ['val/rmse', 'val/solved', 'val/stream_size']
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: OptimizerCallable,
        scheduler: SchedulerCallable | None = None,
        loss: str = "until_wrong",
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ConfigurationError("loss", loss, " or ".join(LOSSES))
        self.save_hyperparameters({"loss": loss})
        self.net, self.loss = net, loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.train_metrics, self.val_metrics, self.test_metrics = map(stream_metrics, ("train/", "val/", "test/"))

    def forward(self, x: Tensor) -> Tensor:
        """The outputs z, (N, T, 1), for inputs x, (N, T, 1)."""
        outputs: Tensor = self.net(x)
        return outputs

    def configure_optimizers(self) -> Any:
        """The optimiser of all parameters that learn, and its scheduler."""
        optimizer = self.make_optimizer([p for p in self.net.parameters() if p.requires_grad])
        if self.make_scheduler is None:
            return optimizer
        scheduler = self.make_scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val/rmse"}}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Refuse what cannot be trained."""
        check_net(self.net, self.device)
        known = [f"{stage}/{name}" for stage in ("train", "val", "test") for name in METRICS]
        for callback in getattr(self.trainer, "callbacks", []):
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and monitor.startswith(("train/", "val/", "test/")) and monitor not in known:
                raise ConfigurationError("monitor", monitor, f"one of {', '.join(known)}")

    def follow(self, batch: Batch) -> tuple[Batch, Tensor, Judgement]:
        """Run the net along the streams of a batch for as long as it counts.

        Returns:
            The part of the batch that it ran along, its outputs z, and their judgement.
        """
        steps = batch.steps if self.loss == "whole" else min(_FIRST_STEPS, batch.steps)
        while True:
            part = batch if steps == batch.steps else batch.first(steps)
            outputs = self(part.inputs)
            judgement = judge(part, outputs)
            if steps == batch.steps or not bool((judgement.is_whole & (batch.lengths > steps)).any()):
                return part, outputs, judgement
            steps = min(2 * steps, batch.steps)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of the streams of a batch.

        Raises:
            UserError: it is not finite.
        """
        part, outputs, judgement = self.follow(batch)
        steps = part.lengths if self.loss == "whole" else judgement.steps
        loss = mean_loss(part, outputs, steps)
        if not bool(loss.isfinite()):
            advice = "a smaller learning rate of the optimizer or the trainer's gradient_clip_val may help"
            raise UserError(f"train/loss is {float(loss)} after {self.global_step} steps of the optimiser: {advice}")
        self.log("train/loss", loss, prog_bar=True, batch_size=len(judgement.steps))
        self._count(self.train_metrics, judgement)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count the test streams of a batch."""
        self._count(self.val_metrics, self.follow(batch)[2])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count the test streams of a batch."""
        self._count(self.test_metrics, self.follow(batch)[2])

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The outputs z, (N, T, 1), along whole streams."""
        outputs: Tensor = self(batch.inputs)
        return outputs

    def _count(self, metrics: MetricCollection, judgement: Judgement) -> None:
        metrics.update(judgement)
        shown = metrics is not self.train_metrics
        self.log_dict(metrics, on_step=False, on_epoch=True, prog_bar=shown, batch_size=len(judgement.steps))


@torch.no_grad()
def check_net(net: nn.Module, device: torch.device | None = None) -> None:
    """Raise ConfigurationError unless a net gives (N, T, 1) for (N, T, 1) and is causal."""
    net = getattr(net, "_orig_mod", net)  # compiling for the probe would take long
    like = next(net.parameters(), torch.empty(0, device=device))
    probe = torch.linspace(-1.0, 1.0, 24, device=like.device, dtype=like.dtype).reshape(_PROBE)
    was_training, name = net.training, type(net).__name__
    net.eval()
    try:
        whole, start = net(probe), net(probe[:, :5])
    except Exception as error:  # whatever the module says
        why = f"does not run on an input of shape {_PROBE} (batch, time, 1): {error}".partition("\n")[0]
        raise ConfigurationError("net", name, why) from error
    finally:
        net.train(was_training)
    if not isinstance(whole, Tensor) or tuple(whole.shape) != _PROBE:
        found = f"shape {tuple(whole.shape)}" if isinstance(whole, Tensor) else f"a {type(whole).__name__}"
        raise ConfigurationError("net", name, f"gives {found} for {_PROBE}; a tensor (batch, time, 1) is needed")
    if not torch.allclose(whole[:, :5], start, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ConfigurationError("net", name, "depends on later inputs, or on chance: it has to be causal")
