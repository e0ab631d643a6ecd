"""The native recurrence as the operator LSTM of ONNX, which has peepholes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

# Name, alpha and beta of the function in ONNX: Affine is alpha * x + beta, ScaledTanh is alpha * tanh(beta * x).
_FUNCTIONS: dict[str, tuple[str, tuple[float, ...], tuple[float, ...]]] = {
    "tanh": ("Tanh", (), ()),
    "identity": ("Affine", (1.0,), (0.0,)),
    "centred_logistic": ("ScaledTanh", (1.0,), (0.5,)),
}


def onnx_translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What `torch.onnx.export` needs to know, for layers on the CPU without replicas (requires the package onnxscript).

    ::

        torch.onnx.export(net, (x,), dynamo=True, custom_translation_table=onnx_translations())

    The number of steps and of rows may be dynamic (`dynamic_shapes`). `truncated` makes no difference: only gradients
    have it.

    Raises:
        ModuleNotFoundError: without onnxscript.
    """
    from onnxscript import opset18

    op: Any = opset18

    def in_onnx_order(weight: Any) -> Any:
        """Rows i, f, g, o as i, o, f, g, with a leading axis of directions."""
        i, f, g, o = op.Split(weight, axis=0, num_outputs=4)
        return op.Unsqueeze(op.Concat(i, o, f, g, axis=0), op.Constant(value_ints=[0]))

    def peephole_lstm(
        x: Any, h0: Any, c0: Any, weight_ih: Any, weight_hh: Any, bias: Any, peephole: Any, *switches: Any, **__: Any
    ) -> tuple[Any, Any, Any, Any]:
        activation, cell_output_activation, _, batch_first, *_ = switches
        functions = [_FUNCTIONS[activation], _FUNCTIONS[cell_output_activation]]
        attributes: dict[str, Any] = {}
        attributes["activations"] = ["Sigmoid", *(name for name, _, _ in functions)]
        if alphas := [alpha for _, alphas, _ in functions for alpha in alphas]:
            attributes["activation_alpha"] = alphas
            attributes["activation_beta"] = [beta for _, _, betas in functions for beta in betas]
        b = p = None
        if bias is not None:
            rows = in_onnx_order(bias)  # (1, 4H)
            b = op.Concat(rows, op.Sub(rows, rows), axis=1)  # ONNX has two biases
        if peephole is not None:
            p_i, p_f, p_o = op.Split(peephole, axis=0, num_outputs=3)  # (1, H) each
            p = op.Concat(p_i, p_o, p_f, axis=1)
        output, h, c = op.LSTM(
            op.Transpose(x, perm=[1, 0, 2]) if batch_first else x,
            in_onnx_order(weight_ih),
            in_onnx_order(weight_hh),
            b,
            None,
            h0,
            c0,
            p,
            hidden_size=int(weight_hh.shape[-1]),
            **attributes,
        )
        output = op.Squeeze(output, op.Constant(value_ints=[1]))  # (T, N, H)
        return op.Transpose(output, perm=[1, 0, 2]) if batch_first else output, h, c, h0

    return {torch.ops.timing_tasks.peephole_lstm.default: peephole_lstm}
