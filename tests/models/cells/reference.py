"""The layers as loops of numpy that follow the formulas: one step, one stream at a time.

Each takes the parameters by name, x [T, I] and the states of one stream, and gives the outputs and the last states.
"""

import math

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def silu(v):
    return v * sigmoid(v)


def softplus(v):
    return np.log(1 + np.exp(v))


def gelu(v):
    return np.array([0.5 * one * (1 + math.erf(one / math.sqrt(2))) for one in v])


def rms(v, gain):
    return v / np.sqrt(np.mean(v**2) + 1e-5) * gain


def min_gru(w, x, h):
    outputs = []
    for x_t in x:
        z, candidate = np.split(w["weight"] @ x_t + w["bias"], 2)
        h = (1 - sigmoid(z)) * h + sigmoid(z) * candidate
        outputs.append(h)
    return outputs, (h,)


def min_lstm(w, x, h):
    outputs = []
    for x_t in x:
        f, i, candidate = np.split(w["weight"] @ x_t + w["bias"], 3)
        f, i = sigmoid(f), sigmoid(i)
        h = f / (f + i) * h + i / (f + i) * candidate
        outputs.append(h)
    return outputs, (h,)


def lru(w, x, state):
    """As a convolution: the contribution of each earlier input, and of the initial state, by powers of lambda."""
    real, imaginary = np.split(state, 2)
    start = real + 1j * imaginary
    factor = np.exp(-np.exp(w["nu"]) + 1j * np.exp(w["theta"]))
    b, c = (w[name][..., 0] + 1j * w[name][..., 1] for name in ("input", "output"))
    outputs = []
    for t in range(len(x)):
        s = factor ** (t + 1) * start + sum(factor ** (t - k) * np.exp(w["gamma"]) * (b @ x[k]) for k in range(t + 1))
        u = gelu((c @ s).real + w["skip"] @ x[t])
        outputs.append(u * sigmoid(w["gate.weight"] @ u + w["gate.bias"]))
    return outputs, (np.concatenate([s.real, s.imag]),)


def slstm(w, x, h, q, log_n):
    """As the paper has it, in c and n (equations 8 to 14)."""
    n = np.exp(log_n)
    c = q * n
    outputs = []
    for x_t in x:
        i, f, z, o = np.split(w["weight_ih"] @ x_t + w["weight_hh"] @ h + w["bias"], 4)
        c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
        n = sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        outputs.append(h)
    return outputs, (h, c / n, np.log(n))


def mamba2(w, x, s, recent):
    size, width = s.shape
    window = list(recent)
    outputs = []
    for x_t in x:
        net = w["projection.weight"] @ x_t
        gate, v, step = net[:size], net[size : 2 * size + 2 * width], net[2 * size + 2 * width :]
        window = [*window[-3:], v]
        mixed = [
            w["convolution.bias"][k] + sum(w["convolution.weight"][k, 0, j] * window[j][k] for j in range(4))
            for k in range(len(v))
        ]
        u, b, c = np.split(silu(np.array(mixed)), [size, size + width])
        step = softplus(step + w["step_bias"])
        s = np.exp(-step * np.exp(w["log_decay"]))[:, None] * s + np.outer(step * u, b)
        outputs.append(rms((s @ c + w["skip"] * u) * silu(gate), w["norm"]))
    return outputs, (s, np.array(window[-3:]))


def transformer(w, x):
    size = len(w["norm.weight"])
    half = size // 2

    def turned(vector, t):
        pairs = (vector[:half] + 1j * vector[half:]) * np.exp(1j * t * 10000.0 ** (-np.arange(half) / half))
        return np.concatenate([pairs.real, pairs.imag])

    outputs, keys, values = [], [], []
    for t, x_t in enumerate(x):
        e = w["embedding.weight"] @ x_t + w["embedding.bias"]
        q, k, v = np.split(w["attention.weight"] @ rms(e, w["attention_norm.weight"]), 3)
        keys.append(turned(k, t))
        values.append(v)
        scores = np.exp([turned(q, t) @ key / np.sqrt(size) for key in keys])
        a = e + w["projection.weight"] @ sum(s * v for s, v in zip(scores / scores.sum(), values, strict=True))
        inner = gelu(w["feed_forward.0.weight"] @ rms(a, w["norm.weight"]) + w["feed_forward.0.bias"])
        outputs.append(a + w["feed_forward.2.weight"] @ inner + w["feed_forward.2.bias"])
    return outputs, ()


def temporal_convolution(w, x):
    h = list(x)
    for level in range(3):
        weight, bias = w[f"convolutions.{level}.weight"], w[f"convolutions.{level}.bias"]
        found = []
        for t in range(len(x)):
            net = bias + sum(
                weight[..., 2 - back] @ h[t - back * 2**level] for back in range(3) if t >= back * 2**level
            )
            found.append(np.maximum(net, 0) + (h[t] if level else 0))
        h = found
    return h, ()
