"""The same digits for any chunks, threads, instruction set and other nets; arrays that do not fit are refused."""

import pytest
import torch

from tests.helpers.conditions import CONDITIONS, READINGS
from tests.helpers.engines import assert_same, needs_native, population
from timing_tasks.errors import UserError
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import Population, State


def test_any_division_into_chunks_gives_the_same_state(engine: Engine):
    people = population((*CONDITIONS, *READINGS), replicas=2)
    whole, pieces = State.initial(people), State.initial(people)
    engine.run(people, whole, 600)
    for chunk in (1, 2, 3, 94, 0, 300, 200):
        engine.run(people, pieces, chunk)
    assert_same(whole, pieces)


@needs_native
@pytest.mark.parametrize("replicas", [1, 2, 5, 9])
def test_same_digits_for_any_threads_instruction_set_and_company(replicas: int, monkeypatch: pytest.MonkeyPatch):
    from timing_tasks.models import instruction_set

    people = population((*CONDITIONS, *READINGS), replicas=replicas)
    reference = State.initial(people)
    create("native", threads=1).run(people, reference, 4000)
    assert torch.isfinite(reference.weights).all()
    for name in instruction_set.available():
        monkeypatch.setenv(instruction_set.VARIABLE, name)
        for threads in (1, 2, 3):
            state = State.initial(people)
            create("native", threads=threads).run(people, state, 4000)
            assert_same(reference, state)
    monkeypatch.delenv(instruction_set.VARIABLE)
    for index in (0, len(people) // 2, len(people) - 1):  # a replica on its own
        alone = Population.of(people.conditions, [(int(people.condition[index]), int(people.replica[index]))], 7)
        state = State.initial(alone)
        create("native", threads=1).run(alone, state, 4000)
        for name, tensor in reference.tensors().items():
            assert torch.equal(tensor[index], getattr(state, name)[0]), name


@needs_native
def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIMING_TASKS_INSTRUCTION_SET", "sse9")
    with pytest.raises(UserError, match=r"one of .*portable"):
        create("native")


@needs_native
def test_arrays_that_do_not_fit_are_refused():
    people = population()
    state = State.initial(people)
    native = create("native", threads=1)
    for change in ("short", "type", "counter"):
        broken = state.clone()
        if change == "short":
            broken.weights = broken.weights[:-1].contiguous()
        elif change == "type":
            broken.weights = broken.weights.float()
        else:
            broken.test_stream[0] = 99
        with pytest.raises(ValueError, match=r"weights|counter"):
            native.run(people, broken, 1)
