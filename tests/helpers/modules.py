"""What tests of the TimingModule train; at the top of a module, so that spawned processes can have it."""

import functools

import lightning as L
import torch
from torch import Tensor, nn

from timing_tasks import PeepholeLSTM, TimingDataModule, TimingModule, TimingNet

QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
ADAM = functools.partial(torch.optim.Adam, lr=0.01)


class OwnLayer(nn.Module):
    """A module of the user's own: a running mean, scaled."""

    def __init__(self, features: int = 3) -> None:
        super().__init__()
        self.scale = nn.Linear(1, features)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(1, x.size(1) + 1, dtype=x.dtype).view(1, -1, 1)
        return torch.tanh(self.scale(x).cumsum(1) / steps)


class CausalTransformer(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Linear(1, width)
        self.encoder = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(1))
        return self.encoder(self.embed(x), src_mask=mask, is_causal=True)


def net(**arguments: object) -> TimingNet:
    torch.manual_seed(1)
    return TimingNet(PeepholeLSTM(1, 4, batch_first=True, initial_state="learned", **arguments))


def module(of: nn.Module | None = None, **arguments: object) -> TimingModule:
    return TimingModule(net() if of is None else of, **({"optimizer": ADAM} | arguments))


def data(**arguments: object) -> TimingDataModule:
    usual = {"task": "msd", "min_interval": 4, "batch_size": 4, "seed": 1, "periods": 3, "batches_per_epoch": 5}
    return TimingDataModule(**(usual | arguments))


def trainer(**arguments: object) -> L.Trainer:
    usual = {**QUIET, "logger": False, "enable_checkpointing": False, "max_steps": 10}
    return L.Trainer(**(usual | arguments))


def weights(of: TimingModule) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in of.net.parameters()])
