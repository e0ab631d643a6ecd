import pytest
import torch
from torch import nn

from timing_tasks.models import Learned, PeepholeLSTM, recurrence


def pair(batch_first: bool, bias: bool = True) -> tuple[PeepholeLSTM, nn.LSTM]:
    torch.manual_seed(0)
    ours = PeepholeLSTM(3, 4, bias=bias, batch_first=batch_first, dtype=torch.float64)
    theirs = nn.LSTM(3, 4, bias=bias, batch_first=batch_first, dtype=torch.float64)
    with torch.no_grad():
        ours.weight_peephole.zero_()
        theirs.weight_ih_l0.copy_(ours.weight_ih)
        theirs.weight_hh_l0.copy_(ours.weight_hh)
        if bias:
            theirs.bias_ih_l0.copy_(ours.bias)
            theirs.bias_hh_l0.zero_()
    return ours, theirs


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("given_state", [False, True])
@pytest.mark.parametrize("batch", [0, 1, 5])  # 0: no batch dimension
@pytest.mark.parametrize("bias", [False, True])
def test_zero_peepholes_are_torch_lstm(batch_first, given_state, batch, bias):
    ours, theirs = pair(batch_first, bias)
    shape = (7, 3) if not batch else (batch, 7, 3) if batch_first else (7, batch, 3)
    state_shape = (1, batch, 4) if batch else (1, 4)
    results = []
    for layer in (ours, theirs):
        torch.manual_seed(1)
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        state = tuple(torch.randn(state_shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
        output, (h, c) = layer(x, state if given_state else None)
        (output.square().sum() + h.sum() + c.sin().sum()).backward()
        gradients = [x.grad, layer.get_parameter("weight_ih" if layer is ours else "weight_ih_l0").grad]
        gradients.append(layer.get_parameter("weight_hh" if layer is ours else "weight_hh_l0").grad)
        if bias:
            gradients.append(layer.get_parameter("bias" if layer is ours else "bias_ih_l0").grad)
        gradients += [s.grad for s in state] if given_state else []
        results.append([output, h, c, *gradients])
    for mine, reference in zip(*results, strict=True):
        assert mine.shape == reference.shape
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", recurrence.ACTIVATIONS)
def test_gradients_of_everything_with_peepholes(activation):
    torch.manual_seed(0)
    layer = PeepholeLSTM(2, 3, activation=activation, dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, h, c, *parameters):
        output, (h, c) = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x, (h, c)))
        return output, h, c

    inputs = (torch.randn(4, 2, 2), torch.randn(1, 2, 3), torch.randn(1, 2, 3))
    inputs = tuple(t.double().requires_grad_() for t in inputs)
    assert torch.autograd.gradcheck(run, (*inputs, *(p.detach().clone().requires_grad_() for p in layer.parameters())))


def test_a_step_by_hand():
    layer = PeepholeLSTM(1, 1, activation="identity", dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih.copy_(torch.tensor([[0.1], [0.2], [0.3], [0.4]]))
        layer.weight_hh.copy_(torch.tensor([[0.5], [0.6], [0.7], [0.8]]))
        layer.bias.copy_(torch.tensor([-0.1, 0.9, 0.2, -0.3]))
        layer.weight_peephole.copy_(torch.tensor([[1.1], [-1.2], [1.3]]))
    sigmoid = torch.sigmoid
    x, y, s = torch.tensor(2.0), torch.tensor(0.5), torch.tensor(-0.4)
    x, y, s = x.double(), y.double(), s.double()
    w = {name: p.detach().double().flatten() for name, p in layer.named_parameters()}
    i = sigmoid(w["weight_ih"][0] * x + w["weight_hh"][0] * y + w["bias"][0] + w["weight_peephole"][0] * s)
    f = sigmoid(w["weight_ih"][1] * x + w["weight_hh"][1] * y + w["bias"][1] + w["weight_peephole"][1] * s)
    g = w["weight_ih"][2] * x + w["weight_hh"][2] * y + w["bias"][2]
    new_s = f * s + i * g
    o = sigmoid(w["weight_ih"][3] * x + w["weight_hh"][3] * y + w["bias"][3] + w["weight_peephole"][2] * new_s)
    output, (h, c) = layer(x.reshape(1, 1, 1), (y.reshape(1, 1, 1), s.reshape(1, 1, 1)))
    torch.testing.assert_close(output.squeeze(), o * new_s)
    torch.testing.assert_close(h.squeeze(), o * new_s)
    torch.testing.assert_close(c.squeeze(), new_s)


def test_truncation_changes_gradients_not_values():
    torch.manual_seed(0)
    full = PeepholeLSTM(2, 3, dtype=torch.float64)
    cut = PeepholeLSTM(2, 3, truncated=True, dtype=torch.float64)
    cut.load_state_dict(full.state_dict())
    x = torch.randn(6, 2, 2, dtype=torch.float64)
    gradients = []
    for layer in (full, cut):
        output, _ = layer(x)
        output.square().sum().backward()
        gradients.append(layer.weight_ih.grad)
    torch.testing.assert_close(full(x)[0], cut(x)[0])
    assert not torch.allclose(*gradients)


def test_gate_biases_are_set_by_name():
    layer = PeepholeLSTM(2, 3, gate_bias={"forget": 2.0, "output": -2.0})
    gates = layer.bias.view(4, 3)
    assert (gates[1] == 2.0).all()
    assert (gates[3] == -2.0).all()
    assert (gates[0].abs() < 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "at least 1"),
        ({"activation": "relu"}, "activation='relu': one of tanh, identity, centred_logistic"),
        ({"cell_output_activation": "relu"}, "cell_output_activation='relu': one of tanh"),
        ({"initial_state": None}, "initial_state=None: one of zero, learned"),
        ({"initial_state": 3}, "initial_state=3: one of zero, learned"),
        ({"initial_state": "warm"}, "initial_state='warm': one of zero, learned"),
        ({"gate_bias": {"cell": 1.0}}, "input, forget, output"),
        ({"gate_bias": {"input": 1.0}, "bias": False}, "bias=True"),
    ],
)
def test_impossible_layers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PeepholeLSTM(**{"input_size": 2, "hidden_size": 3} | arguments)


def test_wrong_shapes_are_refused():
    layer = PeepholeLSTM(2, 3)
    with pytest.raises(ValueError, match="input of shape"):
        layer(torch.zeros(4, 2, 5))
    with pytest.raises(ValueError, match="h0 of shape"):
        layer(torch.zeros(4, 2, 2), (torch.zeros(1, 3, 3), torch.zeros(1, 2, 3)))
    state = torch.zeros(1, 2, 3)
    for hx, found in (((state,), "1 in a tuple"), ((state,) * 3, "3 in a tuple"), (state, "a Tensor")):
        with pytest.raises(ValueError, match=rf"hx is {found}: expected two tensors \(h, c\) of shape \(1, 2, 3\)"):
            layer(torch.zeros(4, 2, 2), hx)
    layer.initial_state = Learned((1, 3))  # of a GRU
    with pytest.raises(ValueError, match="the initial state is a Tensor: expected two tensors"):
        layer(torch.zeros(4, 2, 2))


def test_only_the_sizes_are_positional():
    with pytest.raises(TypeError, match="positional"):
        PeepholeLSTM(3, 6, 2)  # num_layers of nn.LSTM


@pytest.mark.parametrize("activation", recurrence.ACTIVATIONS)
@pytest.mark.parametrize("cell_output_activation", [None, *recurrence.ACTIVATIONS])
def test_activations_of_cell_input_and_cell_output(activation, cell_output_activation):
    functions = {"tanh": torch.tanh, "identity": lambda s: s, "centred_logistic": lambda s: 2 * torch.sigmoid(s) - 1}
    torch.manual_seed(0)
    layer = PeepholeLSTM(
        2, 3, activation=activation, cell_output_activation=cell_output_activation, dtype=torch.float64
    )
    x, h, c = torch.randn(1, 2, 2), torch.randn(1, 2, 3), torch.randn(1, 2, 3)
    x, h, c = x.double(), h.double(), c.double()
    i, f, g, o = (x[0] @ layer.weight_ih.T + h[0] @ layer.weight_hh.T + layer.bias).chunk(4, dim=-1)
    p_i, p_f, p_o = layer.weight_peephole
    last = torch.sigmoid(f + p_f * c[0]) * c[0] + torch.sigmoid(i + p_i * c[0]) * functions[activation](g)
    expected = torch.sigmoid(o + p_o * last) * functions[cell_output_activation or activation](last)
    output, (_, found) = layer(x, (h, c))
    torch.testing.assert_close(output[0], expected)
    torch.testing.assert_close(found[0], last)


def test_an_empty_sequence_gives_back_the_state():
    layer = PeepholeLSTM(2, 3)
    state = (torch.ones(1, 2, 3), torch.ones(1, 2, 3))
    output, (h, c) = layer(torch.zeros(0, 2, 2), state)
    assert output.shape == (0, 2, 3)
    assert torch.equal(h, state[0])
    assert torch.equal(c, state[1])
