"""Several layers, both directions, packed sequences and conversion, compared with `nn.LSTM`."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from timing_tasks.models import Contextual, Learned, PeepholeLSTM, StackedPeepholeLSTM, recurrence

F64 = torch.float64
KINDS = [(1, False), (1, True), (2, False), (3, True)]
LENGTHS = [[5, 5, 2, 1], [3, 6, 1, 6, 2], [4], [2, 2]]


def close(mine, reference) -> None:
    torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-12)


def draw(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)


def results(lstm: nn.Module, x, hx=None) -> list[torch.Tensor]:
    """Outputs, last states, and the gradients of the input and of the states."""
    leaf = (x.data if isinstance(x, PackedSequence) else x).detach().requires_grad_()
    hx = None if hx is None else [state.detach().requires_grad_() for state in hx]
    output, (h, c) = lstm(PackedSequence(leaf, *x[1:]) if isinstance(x, PackedSequence) else leaf, hx)
    if isinstance(output, PackedSequence):
        assert all(a is None if b is None else torch.equal(a, b) for a, b in zip(output[1:], x[1:], strict=True))
        output = output.data
    loss = output.square().sum() + h.sin().sum() + c.cos().sum()
    return [output, h, c, *torch.autograd.grad(loss, [leaf, *(hx or ())])]


@pytest.mark.parametrize(("num_layers", "bidirectional"), KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_layers_and_directions_are_those_of_nn_lstm(num_layers, bidirectional, batch_first, bias):
    torch.manual_seed(0)
    arguments = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "bias": bias}
    theirs = nn.LSTM(3, 4, dtype=F64, **arguments)
    ours = StackedPeepholeLSTM.from_lstm(theirs)
    rows = num_layers * (2 if bidirectional else 1)
    assert ours.state_shapes == ((rows, 4), (rows, 4))
    for shape, axis in (((5, 6, 3), (5 if batch_first else 6,)), ((6, 3), ())):
        x = torch.randn(shape, dtype=F64)
        state = torch.randn(2, rows, *axis, 4, dtype=F64).unbind()
        for hx in (None, state):
            for mine, reference in zip(results(ours, x, hx), results(theirs, x, hx), strict=True):
                assert mine.shape == reference.shape
                close(mine, reference)
    back = ours.to_lstm()
    assert {name: p.shape for name, p in back.named_parameters()} == {n: p.shape for n, p in theirs.named_parameters()}
    close(back(x)[0], theirs(x)[0])


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("num_layers", "bidirectional"), KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences_are_those_of_nn_lstm(lengths, num_layers, bidirectional, batch_first):
    torch.manual_seed(0)
    theirs = nn.LSTM(3, 4, num_layers, bidirectional=bidirectional, batch_first=batch_first, dtype=F64)
    stacked = StackedPeepholeLSTM.from_lstm(theirs)
    padded = torch.randn(len(lengths), max(lengths), 3, dtype=F64)
    state = torch.randn(2, len(stacked.layers), len(lengths), 4, dtype=F64).unbind()
    layers = [stacked, PeepholeLSTM.from_lstm(theirs)] if (num_layers, bidirectional) == (1, False) else [stacked]
    for is_sorted in {False, lengths == sorted(lengths, reverse=True)}:
        packed = pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True, enforce_sorted=is_sorted)
        for ours, hx in itertools.product(layers, (None, state)):
            for mine, reference in zip(results(ours, packed, hx), results(theirs, packed, hx), strict=True):
                assert mine.shape == reference.shape
                close(mine, reference)


def test_a_padded_batch_that_only_runs_forwards_need_not_be_packed():
    torch.manual_seed(0)
    layer, lengths = PeepholeLSTM(3, 4, batch_first=True, dtype=F64), torch.tensor([6, 2, 5])
    x = torch.randn(3, 6, 3, dtype=F64)
    packed, (h, _) = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    unpacked, _ = pad_packed_sequence(packed, batch_first=True)
    output, _ = layer(x)
    mask = torch.arange(6) < lengths.unsqueeze(1)
    close(output * mask.unsqueeze(2), unpacked)
    close(output[torch.arange(3), lengths - 1], h[0])


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("initial_state", ["learned", "contextual"])
def test_a_packed_sequence_is_each_sequence_by_itself(truncated, initial_state):
    torch.manual_seed(0)
    layer = PeepholeLSTM(3, 4, truncated=truncated, initial_state="learned", dtype=F64)
    if initial_state == "contextual":
        layer.initial_state = Contextual.of(layer, context_size=2)
    draw(layer)
    sequences = [torch.randn(length, 3, dtype=F64) for length in (3, 6, 1, 6)]
    contexts = torch.randn(4, 2, dtype=F64)
    packed, (h, c) = layer(nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False), context=contexts)
    output, _ = pad_packed_sequence(packed)
    alone = [layer(x, context=context) for x, context in zip(sequences, contexts, strict=True)]
    for n, (one, (last_h, last_c)) in enumerate(alone):
        close(output[: len(one), n], one)
        close(h[:, n], last_h)
        close(c[:, n], last_c)
    losses = [output.square().sum() + c.sum(), sum(one.square().sum() + last[1].sum() for one, last in alone)]
    gradients = [torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True) for loss in losses]
    for mine, reference in zip(*gradients, strict=True):
        close(mine, reference)


def test_initial_states_of_all_layers_are_learned():
    torch.manual_seed(0)
    stacked = StackedPeepholeLSTM(
        3, 4, num_layers=2, bidirectional=True, batch_first=True, initial_state="learned", dtype=F64
    )
    assert [tuple(p.shape) for p in stacked.initial_state.parameters()] == [(4, 4), (4, 4)]
    draw(stacked)
    x = torch.randn(5, 6, 3, dtype=F64)
    output, _ = stacked(x)
    close(output, stacked(x, stacked.initial_state(5))[0])
    close(output[1], stacked(x[1])[0])
    output.sum().backward()
    assert all(bool((p.grad != 0).all()) for p in stacked.initial_state.parameters())
    other = Learned.of(stacked)
    assert other(5)[0].shape == (4, 5, 4)


def test_dropout_acts_between_the_layers_in_training():
    torch.manual_seed(0)
    stacked = StackedPeepholeLSTM(3, 400, num_layers=2, dropout=0.25)
    seen = []
    stacked.layers[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.randn(9, 5, 3)
    trained = stacked(x)[0]
    first = stacked.layers[0](x)[0]
    kept = seen[0] != 0
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=0.02)
    torch.testing.assert_close(seen[0][kept], first[kept] / 0.75)
    assert not bool((trained == 0).any())  # not after the last layer
    stacked.eval()
    stacked(x)
    assert torch.equal(seen[1], first)


def test_conversion_keeps_what_the_two_have_in_common():
    theirs = nn.LSTM(3, 4, batch_first=True, dtype=F64).eval()
    ours = PeepholeLSTM.from_lstm(theirs, initial_state="learned", truncated=True)
    assert ours.batch_first
    assert ours.truncated
    assert not ours.training
    assert bool((ours.weight_peephole == 0).all())
    back = ours.to_lstm()
    assert back.batch_first
    assert not back.training
    close(back.bias_ih_l0 + back.bias_hh_l0, theirs.bias_ih_l0 + theirs.bias_hh_l0)
    assert PeepholeLSTM.from_lstm(theirs, replicas=2).weight_ih.shape == (2, 16, 3)
    ours.flatten_parameters()
    StackedPeepholeLSTM.from_lstm(nn.LSTM(3, 4, 2)).flatten_parameters()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PeepholeLSTM.from_lstm(nn.LSTM(3, 4, num_layers=2)), "use StackedPeepholeLSTM.from_lstm"),
        (lambda: PeepholeLSTM.from_lstm(nn.LSTM(3, 4, bidirectional=True)), "use StackedPeepholeLSTM.from_lstm"),
        (lambda: StackedPeepholeLSTM.from_lstm(nn.LSTM(3, 4, proj_size=2)), "proj_size=2"),
        (lambda: PeepholeLSTM(3, 4).to_lstm(), "weight_peephole is not 0"),
        (lambda: PeepholeLSTM(3, 4, peepholes=False, activation="identity").to_lstm(), "activation tanh"),
        (lambda: PeepholeLSTM(3, 4, peepholes=False, replicas=2).to_lstm(), "no replicas"),
        (lambda: PeepholeLSTM(3, 4, num_layers=2), "use StackedPeepholeLSTM"),
        (lambda: PeepholeLSTM(3, 4, bidirectional=True), "use StackedPeepholeLSTM"),
        (lambda: PeepholeLSTM(3, 4, dropout=0.1), "use StackedPeepholeLSTM"),
        (lambda: PeepholeLSTM(3, 4, proj_size=2), "proj_size=2"),
        (lambda: StackedPeepholeLSTM(3, 4, proj_size=2), "proj_size=2"),
        (lambda: StackedPeepholeLSTM(3, 4, num_layers=0), "num_layers=0"),
        (lambda: StackedPeepholeLSTM(3, 4, dropout=1.5), "dropout=1.5"),
        (lambda: StackedPeepholeLSTM(3, 4, replicas=2), "replicas"),
        (lambda: StackedPeepholeLSTM(3, 4, initial_state=None), "initial_state=None: one of zero"),
        (
            lambda: StackedPeepholeLSTM(3, 4, num_layers=2)(torch.zeros(5, 1, 3), (torch.zeros(1, 1, 4),) * 2),
            r"\(2, batch, 4\)",
        ),
        (lambda: StackedPeepholeLSTM(3, 4)(torch.zeros(5, 1, 3), (torch.zeros(1, 1, 4),)), r"\(1, batch, 4\)"),
        (
            lambda: PeepholeLSTM(3, 4, replicas=2)(nn.utils.rnn.pack_sequence([torch.zeros(5, 3)])),
            "pad the sequences",
        ),
        (
            lambda: PeepholeLSTM(3, 4)(nn.utils.rnn.pack_sequence([torch.zeros(5, 2)])),
            "input of 2 features: expected 3",
        ),
        (
            lambda: PeepholeLSTM(3, 4)(nn.utils.rnn.pack_sequence([torch.zeros(5, 3)]), (torch.zeros(1, 2, 4),) * 2),
            r"h0 of shape \(1, 2, 4\): expected \(1, 1, 4\)",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_truncated_packed_sequence_is_cut_where_it_is_continued(monkeypatch):
    # Only the loop knows `continued`; without it the second part's first step would pass errors on.
    seen = []
    original = recurrence.run
    monkeypatch.setattr(recurrence, "run", lambda *a: (seen.append(a[-1]), original(*a))[1])
    layer = PeepholeLSTM(3, 4, truncated=True)
    layer(nn.utils.rnn.pack_sequence([torch.zeros(5, 3), torch.zeros(3, 3), torch.zeros(1, 3)]))
    assert seen.count(True) == 2
