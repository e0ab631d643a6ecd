import numpy as np
import pytest
import torch

from tests.helpers.nets import papers_net
from timing_tasks.models.weights import INITIAL_STATE, PEEPHOLES, WEIGHT_NAMES, initial_weights


@pytest.mark.parametrize(("peepholes", "count"), [(True, 17), (False, 14)])
def test_the_papers_net_has_its_weights(peepholes, count):
    assert sum(p.numel() for p in papers_net(peepholes).parameters()) == count


def test_initial_weights_are_the_papers():
    weights = {
        name: np.array(values) for name, values in zip(WEIGHT_NAMES, zip(*all_weights(500), strict=True), strict=True)
    }
    fixed = {"b_i": 0.0, "b_f": 2.0, "b_o": -2.0} | dict.fromkeys(INITIAL_STATE, 0.0)
    for name, values in weights.items():
        if name in fixed:
            assert (values == fixed[name]).all()
        else:
            assert np.abs(values).max() <= 0.1
            assert abs(values.mean()) < 4 * 0.1 / np.sqrt(3 * 500)
            assert np.abs(values).max() > 0.095


def all_weights(replicas, **arguments):
    return [initial_weights(1, replica, (0.0, 2.0, -2.0), **arguments) for replica in range(replicas)]


def test_nets_with_and_without_peepholes_share_the_other_weights():
    for with_them, without in zip(all_weights(5), all_weights(5, peepholes=False), strict=True):
        for name, a, b in zip(WEIGHT_NAMES, with_them, without, strict=True):
            assert b == (0.0 if name in PEEPHOLES else a)


@pytest.mark.parametrize("output_activation", ["sigmoid", "identity"])
def test_a_vector_of_weights_ends_up_where_it_belongs(output_activation):
    net = papers_net(output_activation=output_activation)
    weights = np.linspace(-1, 1, len(WEIGHT_NAMES))
    weights[[WEIGHT_NAMES.index(name) for name in INITIAL_STATE]] = 0.0
    net.load_vector(weights)
    w = dict(zip(WEIGHT_NAMES, weights, strict=True))

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    y = s = 0.0
    expected = []
    for x in (1.0, 0.5, -2.0):
        i = sigmoid(w["w_ix"] * x + w["w_ih"] * y + w["b_i"] + w["p_i"] * s)
        f = sigmoid(w["w_fx"] * x + w["w_fh"] * y + w["b_f"] + w["p_f"] * s)
        s = f * s + i * (w["w_cx"] * x + w["w_ch"] * y + w["b_c"])
        y = sigmoid(w["w_ox"] * x + w["w_oh"] * y + w["b_o"] + w["p_o"] * s) * s
        z = w["w_kh"] * y + w["b_k"]
        expected.append(sigmoid(z) if output_activation == "sigmoid" else z)
    outputs = net(torch.tensor([1.0, 0.5, -2.0], dtype=torch.float64).reshape(1, 3, 1))
    np.testing.assert_allclose(outputs.detach().flatten(), expected, rtol=1e-12)


def test_an_unknown_output_activation_is_refused():
    with pytest.raises(ValueError, match="sigmoid or identity"):
        papers_net(output_activation="relu")


def test_only_a_zero_or_a_learned_initial_state_is_part_of_a_vector():
    weights = np.arange(1.0, 20.0)
    net = papers_net(initial_state="learned")
    net.load_vector(weights)
    assert np.array_equal(net.vector(), weights)
    y_0, s_0 = (float(part) for part in net.initial_state())
    assert (y_0, s_0) == (weights[WEIGHT_NAMES.index("y_0")], weights[WEIGHT_NAMES.index("s_0")])
    with pytest.raises(ValueError, match="does not have them"):
        papers_net(initial_state="zero").load_vector(weights)
    with pytest.raises(ValueError, match="18 weights: this net has 19"):
        net.load_vector(weights[1:])
    with pytest.raises(ValueError, match="ConstantInput"):
        papers_net(initial_state="constant_input").load_vector(weights)
