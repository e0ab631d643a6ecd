"""The recurrence of a `PeepholeLSTM` natively on the CPU, as an operator that autograd, autocast and torch.compile know.

It does what `recurrence.run` does; its code is in `timing_tasks/native/layer`. No digit of a row's outputs or of a
replica's gradients depends on the number of threads, on the other rows or on the other replicas.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import Tensor

from timing_tasks.models import instruction_set, recurrence
from timing_tasks.models.recurrence import Weights

IS_BUILT = importlib.util.find_spec("_timing_tasks_native") is not None
if IS_BUILT:
    import _timing_tasks_native as native

    _PASSES = {
        torch.float32: (native.layer_forward_float32, native.layer_backward_float32),
        torch.float64: (native.layer_forward_float64, native.layer_backward_float64),
    }

# Multiply-adds that keep a thread busy for longer than it takes to start it, and as how many the rest of a step counts
# for a cell.
_WORTH_A_THREAD = 16_000_000
_REST_OF_A_STEP = 200

_TENSORS = "Tensor x, Tensor h0, Tensor c0, Tensor weight_ih, Tensor weight_hh, Tensor? bias, Tensor? peephole"
_SWITCHES = "bool tanh, bool truncated, bool batch_first"
_library = torch.library.Library("timing_tasks", "DEF")  # type: ignore[no-untyped-call]
# Gives h of every step, the last h and c, and, with `keep`, what the way back needs.
_library.define(  # type: ignore[no-untyped-call]
    f"peephole_lstm({_TENSORS}, {_SWITCHES}, bool keep) -> (Tensor, Tensor, Tensor, Tensor)"
)
# Gives the gradients of the seven tensors; an empty one for a tensor that is not there, and for x without `needs_x`.
_library.define(  # type: ignore[no-untyped-call]
    f"peephole_lstm_backward(Tensor? dout, Tensor? dh, Tensor? dc, {_TENSORS}, Tensor out, Tensor tape, {_SWITCHES}, bool needs_x)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_FORWARD = torch.ops.timing_tasks.peephole_lstm.default
_BACKWARD = torch.ops.timing_tasks.peephole_lstm_backward.default


def serves(x: Tensor, weights: Weights) -> bool:
    """Whether a sequence can be run here: on the CPU, in float32 or float64, not empty, outside the transforms of torch.func."""
    return (
        IS_BUILT
        and x.device.type == "cpu"
        and weights.hh.dtype in (torch.float32, torch.float64)
        and x.numel() > 0
        and not torch._C._are_functorch_transforms_active()
    )


def run(
    x: Tensor, h: Tensor, c: Tensor, weights: Weights, activation: str, truncated: bool, batch_first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """See `recurrence.run`; for what `serves` agrees to."""
    keep = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, h, c, *weights))
    output, h, c, _ = _FORWARD(x, h, c, *weights, activation == "tanh", truncated, batch_first, keep)
    return output, h, c


def _forward(*arguments: Any) -> tuple[Tensor, ...]:
    *tensors, tanh, truncated, batch_first, _ = arguments
    sizes = _sizes(tensors, batch_first)
    tensors = [None if t is None else t.contiguous() for t in tensors]
    results = _empty_results(*arguments)
    addresses = [0 if t is None else t.data_ptr() for t in (*tensors, *results)]
    forward, _ = _PASSES[tensors[0].dtype]
    forward(
        (*sizes, results[-1].numel()),
        (tanh, truncated, batch_first),
        addresses,
        _threads(sizes),
        instruction_set.chosen(),
    )
    return results


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    *tensors, tanh, truncated, batch_first, _ = arguments
    errors, tensors, (out, tape) = tensors[:3], tensors[3:10], tensors[10:]
    sizes = _sizes(tensors, batch_first)
    tensors = [None if t is None else t.contiguous() for t in (*errors, *tensors)]
    gradients = _empty_gradients(*arguments)
    addresses = [0 if t is None else t.data_ptr() for t in (*tensors, *gradients)]
    _, backward = _PASSES[out.dtype]
    backward(
        (*sizes, tape.numel()),
        (tanh, truncated, batch_first),
        (*addresses[3:10], out.data_ptr(), 0, 0, tape.data_ptr()),
        (*addresses[:3], *addresses[10:]),
        _threads(sizes),
        instruction_set.chosen(),
    )
    return gradients


def _empty_results(x: Tensor, h0: Tensor, c0: Tensor, *others: Any) -> tuple[Tensor, ...]:
    """Room for what `peephole_lstm` gives."""
    batch_first, keep = others[-2:]
    hidden, new = h0.size(-1), x.new_empty
    return (
        new((*x.shape[:-1], hidden)),
        new(h0.shape),
        new(c0.shape),
        new(_tape_size(x, hidden, batch_first) if keep else 0),
    )


def _empty_gradients(*arguments: Any) -> tuple[Tensor, ...]:
    """Room for what `peephole_lstm_backward` gives."""
    x, *others = arguments[3:10]
    return tuple(x.new_empty(0 if t is None else t.shape) for t in (x if arguments[-1] else None, *others))


def _tape_size(x: Tensor, hidden: int, batch_first: bool) -> int:
    """Numbers kept for the way back: `tape_size` of `native/layer/layer.hpp`."""
    (batch, steps), inputs = x.shape[-3:-1] if batch_first else x.shape[-2:-4:-1], x.size(-1)
    replicas = x.size(0) if x.dim() == 4 else 1
    line = 64 // x.element_size()
    if hidden <= 4 and inputs <= 16:  # rows of the batch side by side, of several replicas where there is room
        lanes = 2 * line
        blocks = replicas * ((batch + lanes - 1) // lanes) if batch > lanes else -(-replicas // (lanes // batch))
        return blocks * steps * 6 * hidden * lanes
    panel = line // 2 if hidden <= line // 2 else line
    return replicas * steps * batch * 6 * (-(-hidden // panel) * panel)


def _sizes(tensors: list[Tensor | None], batch_first: bool) -> tuple[int, int, int, int, int]:
    """R, T, N, I and H.

    Raises:
        ValueError: shapes that do not fit together, or several dtypes.
    """
    x, weight_hh = tensors[0], tensors[4]
    assert x is not None
    assert weight_hh is not None
    *axis, steps, batch, inputs = x.shape
    if batch_first:
        steps, batch = batch, steps
    hidden = weight_hh.size(-1)
    ends = (
        (1, batch, hidden),
        (1, batch, hidden),
        (4 * hidden, inputs),
        (4 * hidden, hidden),
        (4 * hidden,),
        (3, hidden),
    )
    for tensor, end in zip(tensors[1:], ends, strict=True):
        if tensor is not None and (tensor.shape != (*axis, *end) or tensor.dtype != x.dtype):
            raise ValueError(
                f"a tensor of shape {tuple(tensor.shape)}, {tensor.dtype}: expected {(*axis, *end)}, {x.dtype}"
            )
    if len(axis) > 1 or not x.numel():
        raise ValueError(f"x of shape {tuple(x.shape)}: at most four dimensions, none of them 0")
    return axis[0] if axis else 1, steps, batch, inputs, hidden


def _threads(sizes: tuple[int, int, int, int, int]) -> int:
    """As many as torch uses, where there is enough to do for them."""
    replicas, steps, batch, inputs, hidden = sizes
    work = replicas * steps * batch * hidden * (4 * (inputs + hidden) + _REST_OF_A_STEP)
    return max(1, min(torch.get_num_threads(), work // _WORTH_A_THREAD))


def _is_plain(tensor: Tensor) -> bool:
    """Whether dispatch leads to the CPU's code straight away: then it is left out, for it takes as long as a small layer."""
    return (
        type(tensor) is Tensor
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._are_functorch_transforms_active()
    )


class _Recurrence(torch.autograd.Function):
    """The operator for autograd (by hand: `torch.library.register_autograd` takes twice as long as a small layer itself)."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        *tensors, ctx.tanh, ctx.truncated, ctx.batch_first, _ = arguments
        with torch._C._AutoDispatchBelowAutograd():
            out, h, c, tape = (_forward if _is_plain(tensors[0]) else _FORWARD)(*arguments)
        ctx.mark_non_differentiable(tape)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, out, tape)
        return out, h, c, tape

    @staticmethod
    def backward(ctx: Any, *errors: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, out, tape = ctx.saved_tensors
        if torch.is_grad_enabled():
            gradients = _differentiable_gradients(ctx, errors[:3], tensors)
        else:
            gradients = (_backward if _is_plain(out) else _BACKWARD)(
                *errors[:3], *tensors, out, tape, ctx.tanh, ctx.truncated, ctx.batch_first, ctx.needs_input_grad[0]
            )
        needed = ctx.needs_input_grad[: len(tensors)]
        return (
            *(g if is_needed else None for g, is_needed in zip(gradients, needed, strict=True)),
            None,
            None,
            None,
            None,
        )


def _differentiable_gradients(
    ctx: Any, errors: tuple[Tensor | None, ...], tensors: list[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradients where they will be differentiated in their turn: those of the loop."""
    x, h, c, *weights = tensors
    assert x is not None
    assert h is not None
    assert c is not None
    activation = "tanh" if ctx.tanh else "identity"
    results = recurrence.run(x, h, c, Weights(*weights), activation, ctx.truncated, ctx.batch_first)  # type: ignore[arg-type]
    given = [(result, error) for result, error in zip(results, errors, strict=True) if error is not None]
    wanted = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
    outputs, grad_outputs = zip(*given, strict=True)
    found = iter(torch.autograd.grad(outputs, wanted, grad_outputs, create_graph=True, allow_unused=True))
    return tuple(next(found) if tensor is not None and tensor.requires_grad else None for tensor in tensors)


def _in_float32(*arguments: Any) -> tuple[Tensor, ...]:
    """What `torch.library.register_autocast` would make, had torch 2.6 it already: half precision is computed in float32."""
    raised = (
        t.float() if isinstance(t, Tensor) and t.is_floating_point() and t.dtype != torch.float64 else t
        for t in arguments
    )
    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)):
        results: tuple[Tensor, ...] = _FORWARD(*raised)
    return results


_library.impl("peephole_lstm", _forward, "CPU")  # type: ignore[no-untyped-call]
_library.impl("peephole_lstm_backward", _backward, "CPU")  # type: ignore[no-untyped-call]
torch.library.register_fake("timing_tasks::peephole_lstm", _empty_results, lib=_library)
torch.library.register_fake("timing_tasks::peephole_lstm_backward", _empty_gradients, lib=_library)
_library.impl("peephole_lstm", _Recurrence.apply, "Autograd")  # type: ignore[no-untyped-call]
_library.impl("peephole_lstm", _in_float32, "AutocastCPU")  # type: ignore[no-untyped-call]
