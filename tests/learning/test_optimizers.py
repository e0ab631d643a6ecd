"""Which optimisers can train nets that share tensors."""

import pytest
import torch

from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning import optimizers


class LengthOfWeights(torch.optim.SGD):
    """As LARS, whose steps have the length of all weights together."""

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.mul_(parameter.detach().norm())
        return super().step(closure)


class Counting(torch.optim.SGD):
    def step(self, closure=None):
        self.param_groups[0]["count"] = self.param_groups[0].get("count", 0) + 1
        return super().step(closure)


@pytest.mark.parametrize("kind", [LengthOfWeights, Counting])
def test_optimisers_of_others_that_would_mix_nets_are_refused(kind: type):
    with pytest.raises(ConfigurationError, match=r"number by itself|counts by parameter"):
        optimizers.check([BPTT("bptt", optimizer={"_target_": f"{__name__}.{kind.__name__}", "lr": 0.1})])


def test_all_tasks_have_the_same_optimiser():
    with pytest.raises(ConfigurationError, match="the same for all tasks"):
        optimizers.check(
            [
                BPTT("bptt", optimizer={"_target_": "torch.optim.SGD", "lr": 1.0}),
                BPTT("bptt", optimizer={"_target_": "torch.optim.Adam", "lr": 1.0}),
            ]
        )


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Rprop"])
def test_optimisers_that_treat_every_number_by_itself_will_do(name: str):
    optimizers.check([BPTT("bptt", optimizer={"_target_": f"torch.optim.{name}", "lr": lr}) for lr in (0.1, 0.2)])


@pytest.mark.parametrize(("name", "why"), [("Adafactor", "every number by itself"), ("LBFGS", "cannot make a step")])
def test_optimisers_that_would_mix_nets_are_refused(name: str, why: str):
    with pytest.raises(ConfigurationError, match=why):
        optimizers.check([BPTT("bptt", optimizer={"_target_": f"torch.optim.{name}", "lr": 0.1})])
