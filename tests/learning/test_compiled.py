"""The torch engine under torch.compile, on a CPU."""

import pytest
import torch
from torch._inductor import metrics

from tests.helpers.conditions import CONDITIONS, LEARNED, READINGS
from tests.helpers.engines import assert_same, needs_native, population
from timing_tasks.learning.online import torch_engine
from timing_tasks.learning.online.fusion import one_net_a_thread
from timing_tasks.learning.online.population import State
from timing_tasks.learning.online.torch_engine import TorchEngine


@needs_native  # which says that there is a compiler
def test_the_torch_engine_compiled_does_what_it_does_step_by_step():
    people = population(CONDITIONS + READINGS + LEARNED)
    states = [State.initial(people) for _ in range(2)]
    metrics.reset()
    assert [TorchEngine(device).block for device in ("cpu", "cuda")] == [1, 4]
    for engine, state in zip((TorchEngine("cpu"), TorchEngine("cpu", block=2)), states, strict=True):
        assert engine.on(torch.device("cpu")).block == engine.block
        for steps in (450, 101):  # the last by itself
            with torch._inductor.config.patch(fx_graph_cache=False):
                engine.run(people, state, steps)
    assert metrics.generated_kernel_count == 1
    assert_same(*states, rtol=1e-10, atol=1e-13)
    assert (states[0].training_streams > 1).all()


@pytest.mark.parametrize("on_gpu", [True, False])
def test_populations_of_many_sizes_share_programs(on_gpu: bool, monkeypatch: pytest.MonkeyPatch):
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, options, **how: compiler(f, backend="eager", **how))
    torch.compiler.reset()
    advance = torch_engine._compiled_advance.__wrapped__(on_gpu)
    is_first = True
    for conditions in (CONDITIONS[:8], CONDITIONS[:1], CONDITIONS):
        for replicas in (5, 4, 2, 3, 50):
            people = population(conditions, replicas)
            run, plain = (torch_engine._Run(people, State.initial(people)) for _ in range(2))
            for _ in range(2):
                with torch._dynamo.config.patch(error_on_recompile=on_gpu and not is_first, recompile_limit=4):
                    advance(run, 4)
                is_first = False
            plain.advance(8)
            assert torch.equal(run.n.weights, plain.n.weights)
            assert run.n.net_steps.tolist() == [8] * len(people)


def test_in_whole_blocks_nothing_waits_for_the_device_or_is_elsewhere(monkeypatch: pytest.MonkeyPatch):
    # The device "meta" stands for a GPU: its tensors have no values that anybody could look at, and mix with no others.
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, options, **how: compiler(f, backend="eager", **how))
    monkeypatch.setattr(torch_engine, "_compiled_advance", torch_engine._compiled_advance.__wrapped__)
    torch.compiler.reset()
    people = population(CONDITIONS + READINGS + LEARNED)
    state, engine = State.initial(people).to("meta"), TorchEngine("meta", block=2)
    engine.run(people, state, 4)
    with pytest.raises(RuntimeError, match="meta"):
        engine.run(people, state, 5)  # the last by itself, which looks whether any net goes on


def test_on_a_gpu_one_net_a_thread_is_asked_for():
    from torch._inductor.virtualized import V

    with one_net_a_thread():
        asked = V.choices.triton_kernel_kwargs(None, None, [], {"mutations": None})
    assert asked["mutations"] is None
    assert asked["fixed_config"]["XBLOCK"] == 32 * asked["fixed_config"]["num_warps"]
    assert V.choices.triton_kernel_kwargs(None, None, [], {}) == {}
