"""The cuda engine without a GPU: the kernel's body on the CPU, its compilation for GPUs, and what starts it."""

import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.helpers.conditions import CONDITIONS, LEARNED, READINGS, make_condition
from tests.helpers.engines import assert_same, needs_native, population
from tests.helpers.strategies import FUZZ, populations
from timing_tasks.errors import ConfigurationError, UserError
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.population import Population, State, Verdict
from timing_tasks.tasks import Task

pytestmark = needs_native
FULL = 15  # the needs of a net with the full gradient


def cuda_engine(**gpu: object):  # type: ignore[no-untyped-def]
    from tests.helpers.fake_gpu import FakeGpu
    from timing_tasks.learning.online.cuda import CudaEngine

    return CudaEngine("cpu", FakeGpu(**gpu))  # type: ignore[arg-type]


def run_one_net(people: Population, state: State, net_steps: int, needs: int) -> None:
    from timing_tasks.learning.online import native

    native.native.run_one_net(*native.arguments(people, state), net_steps, needs)


@pytest.mark.parametrize("needs", range(8))
def test_the_kernels_body_has_the_native_engines_bits_whatever_else_it_can(needs: int):
    people = population((*CONDITIONS, *READINGS, *LEARNED), replicas=2)
    body, engine = State.initial(people), State.initial(people)
    for steps in (1, 2, 497, 900):
        run_one_net(people, body, steps, needs)
        create("native", threads=1).run(people, engine, steps)
        assert_same(body, engine)
    assert int(engine.training_streams.sum()) > 1000


@settings(FUZZ, max_examples=150)
@given(populations())
def test_the_kernels_body_has_the_native_engines_bits_for_any_population(started: tuple[Population, State]):
    people, body = started
    engine = body.clone()
    for steps in (700, 1300):
        run_one_net(people, body, steps, 0)
        create("native", threads=1).run(people, engine, steps)
        assert_same(body, engine)


def test_a_run_is_the_native_engines_and_either_goes_on_from_the_other():
    people = population((*CONDITIONS, *READINGS, *LEARNED), replicas=3)
    gpu, cpu = State.initial(people), State.initial(people)
    engine, native = cuda_engine(warps=20), create("native", threads=1)
    for turn, steps in enumerate((300, 0, 1, 500, 400)):
        (native if turn == 3 else engine).run(people, gpu, steps)
        native.run(people, cpu, steps)
        assert_same(gpu, cpu)
    for needs, blocks, lanes, order in engine._launcher.launched:
        conditions = people.condition[order].tolist()
        assert conditions == sorted(conditions)  # neighbours do the same
        assert needs == FULL or not any(people.records["full_gradient"][conditions])
        assert (blocks - 1) * 2 * lanes < len(order) <= blocks * 2 * lanes
    assert {launch[0] for launch in engine._launcher.launched} == {7, FULL}


def test_finished_nets_are_not_launched_again():
    people = population([make_condition(Task("nmsd", 3, (0, 1)), streams=3), make_condition(Task("nmsd", 3, (0, 1)))])
    state, engine = State.initial(people), cuda_engine()
    engine.run(people, state, 300)
    assert state.verdict.tolist() == [Verdict.UNSOLVED] * 3 + [Verdict.RUNNING] * 3
    engine.run(people, state, 10)
    assert [launch[3] for launch in engine._launcher.launched] == [[0, 1, 2, 3, 4, 5], [3, 4, 5]]


def test_as_few_threads_of_a_warp_are_active_as_fill_the_device():
    from timing_tasks.learning.online.cuda import active_lanes

    assert [active_lanes(nets, 1056) for nets in (1, 1056, 1057, 10_000, 33_000, 10**6)] == [1, 1, 2, 10, 32, 32]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            RuntimeError("CUDA error: an illegal memory access\nmore"),
            r"cpu: the kernel failed \(CUDA error: an illegal",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to"), "cpu: 27 nets do not fit into its memory"),
    ],
)
def test_what_fails_on_a_device_is_one_line(error: Exception, says: str):
    people = population()
    with pytest.raises(UserError, match=says) as raised:
        cuda_engine(error=error).run(people, State.initial(people), 10)
    assert "\n" not in str(raised.value)


def test_without_native_module_extra_or_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch):
    missing: set[str] = set()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name) or name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, says in (
        ("", "no GPU"),
        ("cuda.core", r"timing-tasks\[cuda\]"),
        ("_timing_tasks_native", "native module"),
    ):
        missing.add(name)
        with pytest.raises(ConfigurationError, match=says):
            create("cuda")


def test_the_needs_of_conditions_and_the_fields_of_a_state_are_the_native_ones():
    from timing_tasks.learning.online import native

    people = population((*CONDITIONS, *READINGS, *LEARNED), replicas=1)
    needs = np.array(native.native.needs(native.records_of(people)[0]))
    assert (needs == FULL).tolist() == (people.records["full_gradient"] == 1).tolist()
    assert ((needs & 2) > 0).tolist() == [
        c.task.name == "pfg" or c.protocol.gradient == "full" for c in people.conditions
    ]


needs_compiler = pytest.mark.skipif(
    not (importlib.util.find_spec("cuda") and importlib.util.find_spec("cuda.core")), reason="without the extra `cuda`"
)


@needs_compiler
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("needs", [0, 1, 2, 3, 4, 5, 6, 7, FULL])
def test_the_kernel_fits_into_the_registers_of_a_gpu(architecture: str, needs: int):
    from timing_tasks.learning.online.kernel import compiled

    log = io.StringIO()
    assert compiled(architecture, needs, log).code[:4] == b"\x7fELF"
    (registers,) = re.findall(r"Used (\d+) registers", log.getvalue())
    (spilled,) = re.findall(r"(\d+) bytes spill stores", log.getvalue())
    # Up to 255 a multiprocessor holds the eight warps that the engine counts on. The full gradient has more traces.
    assert int(registers) <= (224 if architecture != "sm_100" and needs != FULL else 255)
    assert int(spilled) <= (300 if needs == FULL else 0)


@needs_compiler
def test_the_compiled_kernel_is_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from timing_tasks.learning.online import kernel

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernel, "source", lambda: 'extern "C" __global__ void advance() {}')
    first = kernel.compiled("sm_90", 0)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert kernel.compiled("sm_90", 0).code == first.code
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == files


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_the_state_is_the_native_engines_bit_for_bit():
    people = population((*CONDITIONS, *READINGS, *LEARNED), replicas=10)
    gpu, cpu = State.initial(people), State.initial(people)
    for steps in (1, 5000, 20_000):
        create("cuda").run(people, gpu, steps)
        create("native").run(people, cpu, steps)
        assert_same(gpu, cpu)
