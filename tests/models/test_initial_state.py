import copy
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from timing_tasks.models import ConstantInput, Contextual, InitialState, Learned, Noisy, PeepholeLSTM, Zero
from timing_tasks.models.initial_state import state_shapes

F64 = torch.float64
LAYERS = {
    "lstm": lambda: nn.LSTM(2, 3, batch_first=True, dtype=F64),
    "deep lstm": lambda: nn.LSTM(2, 3, num_layers=2, bidirectional=True, batch_first=True, dtype=F64),
    "projected lstm": lambda: nn.LSTM(2, 3, proj_size=2, batch_first=True, dtype=F64),
    "gru": lambda: nn.GRU(2, 3, num_layers=2, batch_first=True, dtype=F64),
    "rnn": lambda: nn.RNN(2, 3, batch_first=True, dtype=F64),
    "peephole lstm": lambda: PeepholeLSTM(2, 3, batch_first=True, dtype=F64),
}


def draw(initial: InitialState, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in initial.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(3), dtype=F64)  # (N, T, features)


@pytest.mark.parametrize("name", LAYERS)
def test_every_recurrent_layer_takes_it(name: str, x: Tensor):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    zero = layer(x, Zero.of(layer)(4))[0]
    assert torch.equal(zero, layer(x)[0])
    assert torch.equal(layer(x, Learned.of(layer)(4))[0], zero)  # learned starts from zero
    initial = Learned.of(layer)
    draw(initial)
    assert not torch.allclose(layer(x, initial(4))[0], zero)
    assert torch.allclose(layer(x[2], initial())[0], layer(x, initial(4))[0][2])  # without a batch
    context = Contextual.of(layer, context_size=2, hidden_size=4)
    contexts = torch.randn(4, 2, dtype=F64)
    together = layer(x, context(4, contexts))[0]
    assert torch.allclose(layer(x[1], context(None, contexts[1]))[0], together[1])


@pytest.mark.parametrize(
    "cell", [nn.LSTMCell(2, 3), nn.GRUCell(2, 3), nn.RNNCell(2, 3)], ids=lambda c: type(c).__name__
)
def test_every_cell_takes_it(cell: nn.Module):
    initial = Learned.of(cell)
    draw(initial)
    assert not torch.allclose(
        torch.stack([*cell(torch.ones(4, 2), initial(4))]), torch.stack([*cell(torch.ones(4, 2))])
    )


def test_a_layer_of_ones_own_tells_its_shapes():
    with pytest.raises(TypeError, match="Linear"):
        state_shapes(nn.Linear(2, 3))
    assert [state.shape for state in Learned((2, 3), (2, 5), (7,), batch_axis=0)(4)] == [(4, 2, 3), (4, 2, 5), (4, 7)]


@pytest.mark.parametrize("kind", [Learned, ConstantInput], ids=lambda k: k.__name__)
@pytest.mark.parametrize("name", LAYERS)
def test_it_receives_the_gradient(kind: type[InitialState], name: str, x: Tensor):
    layer = LAYERS[name]()
    initial = kind.of(layer)
    draw(initial)
    parameters = tuple(initial.parameters())

    def loss(*_: Tensor) -> Tensor:
        return layer(x, initial(4))[0].square().sum()

    assert torch.autograd.gradcheck(loss, parameters)
    loss().backward()
    assert all(bool((parameter.grad != 0).all()) for parameter in parameters)


@pytest.mark.parametrize(("optimiser", "rate"), [(torch.optim.SGD, 3.0), (torch.optim.Adam, 0.05)], ids=["SGD", "Adam"])
def test_a_constant_input_is_the_same_as_learned(optimiser: type[torch.optim.Optimizer], rate: float, x: Tensor):
    # In values, gradients, and a whole training run.
    torch.manual_seed(0)
    layers = [LAYERS["deep lstm"]()]
    layers.append(copy.deepcopy(layers[0]))
    initials = [kind.of(layer) for kind, layer in zip((Learned, ConstantInput), layers, strict=True)]
    optimisers = [optimiser([*a.parameters(), *b.parameters()], lr=rate) for a, b in zip(layers, initials, strict=True)]
    target = torch.randn(4, 5, 6, dtype=F64)
    losses: list[list[float]] = [[], []]
    for _ in range(50):
        for k in range(2):
            optimisers[k].zero_grad()
            loss = (layers[k](x, initials[k](4))[0] - target).square().mean()
            loss.backward()
            optimisers[k].step()
            losses[k].append(loss.item())
        for learned, constant in zip(initials[0].parameters(), initials[1].parameters(), strict=True):
            torch.testing.assert_close(learned.grad.flatten(), constant.grad.flatten(), rtol=1e-12, atol=1e-15)
            torch.testing.assert_close(learned.flatten(), constant.flatten(), rtol=1e-12, atol=1e-15)
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert losses[0][-1] < 0.95 * losses[0][0]


@pytest.mark.parametrize("kind", [Zero, Learned])
def test_expanding_to_a_batch_costs_no_copy(kind: type[InitialState]):
    (h, c), (one, _) = kind((2, 3), (2, 3))(1000), kind((2, 3), (2, 3))(1)
    assert h.shape == c.shape == (2, 1000, 3)
    assert h.stride(1) == 0
    assert h.untyped_storage().nbytes() == one.untyped_storage().nbytes()


def test_the_layer_takes_it_by_name_and_what_is_given_wins(x: Tensor):
    layer = PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64)
    assert [name for name, _ in layer.named_parameters() if "initial" in name] == [
        "initial_state.state.0",
        "initial_state.state.1",
    ]
    draw(layer.initial_state)
    plain = PeepholeLSTM(2, 3, batch_first=True, dtype=F64)
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if "initial" not in k})
    state = (torch.randn(1, 4, 3, dtype=F64), torch.randn(1, 4, 3, dtype=F64))
    assert torch.equal(layer(x, state)[0], plain(x, state)[0])
    assert torch.equal(layer(x)[0], plain(x, layer.initial_state(4))[0])
    layer(x).__getitem__(0).sum().backward()
    assert all(bool((p.grad != 0).all()) for p in layer.initial_state.parameters())


def test_the_layer_takes_a_module(x: Tensor):
    layer = PeepholeLSTM(
        2, 3, initial_state=Contextual((1, 3), (1, 3), context_size=2, dtype=F64), batch_first=True, dtype=F64
    )
    one, other = layer(x, context=torch.zeros(4, 2, dtype=F64))[0], layer(x, context=torch.ones(4, 2, dtype=F64))[0]
    assert not torch.allclose(one, other)
    with pytest.raises(ValueError, match=r"\(4, 2\) is needed, there is none"):
        layer(x)
    with pytest.raises(ValueError, match=r"there is one of shape \(3, 2\)"):
        layer(x, context=torch.ones(3, 2, dtype=F64))


def test_a_state_dict_goes_round(x: Tensor, tmp_path: Path):
    layer = PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64)
    draw(layer.initial_state)
    torch.save(layer.state_dict(), tmp_path / "state")
    other = PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    other.eval()
    assert torch.equal(other(x)[0], layer(x)[0])  # and at test time it is used as it is
    assert not any("initial" in name for name in PeepholeLSTM(2, 3).state_dict())


def test_noise_is_uniform_and_for_training_alone():
    initial = Noisy((1, 3), (1, 3), deviation=0.5, generator=torch.Generator().manual_seed(1), dtype=F64)
    draw(initial)
    h, _ = initial(10_000)
    noise = (h - initial.state[0].unsqueeze(1)).detach()
    assert float(noise.mean()) == pytest.approx(0, abs=0.02)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.02)
    width = 0.5 * 3**0.5
    assert float(noise.abs().max()) == pytest.approx(width, rel=1e-3)
    counts = torch.histc(noise, bins=10, min=-width, max=width)
    assert torch.allclose(counts, torch.full((10,), 3000.0, dtype=F64), rtol=0.1)
    initial.eval()
    assert torch.equal(initial(4)[0], initial.state[0].unsqueeze(1).expand(1, 4, 3))


def test_noise_that_is_given_is_added_as_it_is():
    initial = Noisy((1, 3), (1, 3), deviation=0.5)
    draw(initial)
    noise = torch.randn(2, 1, 4, 3, dtype=F64).unbind()
    clean = initial.eval()(4)
    assert all(map(torch.equal, initial(4, noise=noise), clean))  # none at test
    for state, value, n in zip(initial.train().states(4, None, noise), clean, noise, strict=True):
        assert state.dtype == torch.float32
        torch.testing.assert_close(state, value + n.float())
    for wrong in (noise[:1], [n[:, 1:] for n in noise]):
        with pytest.raises(ValueError, match="noise of shapes"):
            initial(4, noise=wrong)
    for kind in (Zero, Learned, ConstantInput):
        with pytest.raises(ValueError, match="noise is for Noisy"):
            kind((1, 3), (1, 3))(4, noise=noise)
    with pytest.raises(ValueError, match="noise is for Noisy"):
        Contextual((1, 3), context_size=1)(4, torch.zeros(4, 1), noise[:1])


@pytest.mark.parametrize("kind", [Learned, Noisy], ids=lambda k: k.__name__)
def test_some_states_are_learned_and_others_stay_zero(kind: type[Learned], x: Tensor):
    torch.manual_seed(0)
    lstm = LAYERS["lstm"]()
    initial = kind.of(lstm, learn=(False, True))
    assert initial.state_dict().keys() == kind.of(lstm).state_dict().keys()
    optimiser = torch.optim.AdamW([*lstm.parameters(), *initial.parameters()], lr=0.1, weight_decay=0.1)
    before = copy.deepcopy(initial.state_dict())
    for _ in range(3):
        optimiser.zero_grad()
        lstm(x, initial(4))[0].square().sum().backward()
        optimiser.step()
    assert torch.equal(initial.state[0], before["state.0"])
    assert bool((initial.state[1] != 0).all())
    assert "learn=(False, True)" in repr(initial)


@pytest.mark.parametrize("name", ["gru", "lstm", "peephole lstm"])
@pytest.mark.parametrize("kind", [Zero, Learned, ConstantInput, Noisy], ids=lambda k: k.__name__)
@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_changing_a_state_changes_nothing_else(name: str, kind: type[InitialState], batch_size: int | None):
    initial = kind.of(LAYERS[name]()).eval()
    draw(initial)
    before = [parameter.detach().clone() for parameter in initial.parameters()]
    with torch.no_grad():
        states = initial.states(batch_size)
        others = [state.clone() for state in states[1:]]
        if batch_size in (None, 1):
            states[0].add_(5)
        else:
            with pytest.raises(RuntimeError, match="single memory location"):
                states[0].add_(5)
    assert all(map(torch.equal, before, initial.parameters()))
    assert all(map(torch.equal, states[1:], others))
    assert torch.equal(initial(2)[0], initial(2)[0])


def test_a_zero_state_has_no_memory_of_its_own():
    zero = torch.nn.utils.skip_init(Zero, (1, 3), dtype=F64)
    assert torch.equal(zero(2), torch.zeros(1, 2, 3, dtype=F64))
    assert not list(zero.buffers())
    assert zero.float()(2).dtype == torch.float32
    assert zero.to("meta")(2).device.type == "meta"
    assert zero.to("cpu").double()(2).dtype == F64
    assert copy.deepcopy(zero)(2).dtype == F64


@pytest.mark.parametrize("is_training", [False, True])
def test_noise_compiles_for_several_batch_sizes(is_training: bool):
    torch._dynamo.reset()
    initial = Noisy((1, 3), (1, 3), deviation=0.5).train(is_training)
    compiled = torch.compile(initial, backend="aot_eager", fullgraph=True)
    for batch_size in (4, 5, 6):
        h, c = compiled(batch_size)
        assert h.shape == c.shape == (1, batch_size, 3)
        assert bool((h != 0).any()) == is_training


def test_it_compiles(x: Tensor):
    lstm = nn.LSTM(2, 3, batch_first=True, dtype=F64)
    for kind in (Learned, ConstantInput, Noisy):
        initial = kind.of(lstm)
        draw(initial)
        initial.eval()
        compiled = torch.compile(lambda batch, initial=initial: initial(batch), backend="eager", fullgraph=True)
        for ours, expected in zip(compiled(4), initial(4), strict=True):
            assert torch.equal(ours, expected)
    layer = PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64)
    draw(layer.initial_state)
    assert torch.allclose(torch.compile(layer, backend="eager", fullgraph=True)(x)[0], layer(x)[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Learned(), "at least one"),
        (lambda: Learned((0, 3)), "at least one"),
        (lambda: Learned((3,), batch_axis=2), "batch_axis=2"),
        (lambda: Noisy((3,), deviation=-1.0), "deviation=-1.0"),
        (lambda: Learned((3,), (3,), learn=(True,)), "one bool for each of the 2 states"),
        (lambda: Learned((3,), (3,), learn=(False, False)), "at least one of them True"),
        (lambda: Contextual((1, 3), context_size=0), "context_size=0"),
        (lambda: PeepholeLSTM(2, 3, initial_state="warm"), "initial_state='warm': one of zero, learned"),
    ],
)
def test_what_cannot_be_is_refused(make, message: str):
    with pytest.raises(ValueError, match=message):
        make()


def _train_one_rank(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = nn.parallel.DistributedDataParallel(PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64))
    inputs = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(3), dtype=F64)
    net(inputs[2 * rank : 2 * rank + 2])[0].square().mean().backward()
    torch.save([p.grad for p in net.module.initial_state.parameters()], f"{folder}/{rank}")
    torch.distributed.destroy_process_group()


def test_it_works_under_ddp(x: Tensor, tmp_path: Path):
    torch.multiprocessing.spawn(_train_one_rank, (str(tmp_path),), nprocs=2)
    torch.manual_seed(0)
    alone = PeepholeLSTM(2, 3, batch_first=True, initial_state="learned", dtype=F64)
    alone(x)[0].square().mean().backward()
    for rank in range(2):
        for mine, whole in zip(torch.load(tmp_path / str(rank)), alone.initial_state.parameters(), strict=True):
            torch.testing.assert_close(mine, whole.grad)
