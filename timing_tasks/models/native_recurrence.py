"""The native recurrence of a `PeepholeLSTM` on the CPU, an operator for autograd, autocast and torch.compile.

It computes what `recurrence.run` computes; its code is in `timing_tasks/native/layer`. No digit of a row's outputs or
of a replica's gradients depends on the number of threads, on the other rows or on the other replicas. On x86, the
instruction sets `avx2` and `avx512` give the same digits; `portable`, which has no fused multiply-add there, differs in
the last ones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from timing_tasks.models import instruction_set, native_arguments, recurrence
from timing_tasks.models.recurrence import Weights

IS_BUILT = importlib.util.find_spec("_timing_tasks_native") is not None
if IS_BUILT:
    import _timing_tasks_native as native

    _PASSES = {
        torch.float32: (native.layer_forward_float32, native.layer_backward_float32),
        torch.float64: (native.layer_forward_float64, native.layer_backward_float64),
    }

_PLAIN = (Tensor, nn.Parameter, type(None))
# Multiply-adds that keep a thread busy for longer than it takes to start it, and as how many the rest of a step counts
# for a cell.
_WORTH_A_THREAD = 16_000_000
_REST_OF_A_STEP = 200

_TENSORS = "Tensor x, Tensor h0, Tensor c0, Tensor weight_ih, Tensor weight_hh, Tensor? bias, Tensor? peephole"
_SWITCHES = "str activation, str cell_output_activation, bool truncated, bool batch_first"
_library = torch.library.Library("timing_tasks", "DEF")  # type: ignore[no-untyped-call]
# Gives h of every step, the last h and c, and, with `keep`, what the backward pass needs.
_library.define(  # type: ignore[no-untyped-call]
    f"peephole_lstm({_TENSORS}, {_SWITCHES}, bool keep) -> (Tensor, Tensor, Tensor, Tensor)"
)
# Gives the gradients of the seven tensors; an empty one for a tensor that is not there, and for x without `needs_x`.
_library.define(  # type: ignore[no-untyped-call]
    f"peephole_lstm_backward(Tensor? dout, Tensor? dh, Tensor? dc, {_TENSORS}, Tensor out, Tensor tape, {_SWITCHES}, "
    "bool needs_x)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_FORWARD = torch.ops.timing_tasks.peephole_lstm.default
_BACKWARD = torch.ops.timing_tasks.peephole_lstm_backward.default


def serves(x: Tensor, weights: Weights) -> bool:
    """Whether a sequence can be run here.

    That is on the CPU, in float32 or float64, not empty, outside the transforms of torch.func and without forward-mode
    derivatives.
    """
    return (
        IS_BUILT
        and x.device.type == "cpu"
        and weights.hh.dtype in (torch.float32, torch.float64)
        and x.numel() > 0
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def run(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weights: Weights,
    activation: str,
    truncated: bool,
    batch_first: bool,
    cell_output_activation: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """See `recurrence.run`; for sequences that `serves` accepts."""
    keep = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, h, c, *weights))
    output, h, c, _ = _FORWARD(
        x, h, c, *weights, activation, cell_output_activation or activation, truncated, batch_first, keep
    )
    return output, h, c


def _forward(*arguments: Any) -> tuple[Tensor, ...]:
    *tensors, activation, cell_output_activation, truncated, batch_first, _ = arguments
    results = _empty_results(*arguments)
    sizes = native_arguments.sizes(tensors, batch_first)
    tensors = [_in_memory(tensor) for tensor in tensors]
    forward, _ = _PASSES[results[0].dtype]
    forward(
        (*sizes, results[-1].numel()),
        (native_arguments.NUMBERS[activation], native_arguments.NUMBERS[cell_output_activation]),
        (truncated, batch_first),
        [0 if tensor is None else tensor.data_ptr() for tensor in (*tensors, *results)],
        _threads(sizes),
        instruction_set.chosen(),
    )
    return results


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    *tensors, activation, cell_output_activation, truncated, batch_first, _ = arguments
    gradients = _empty_gradients(*arguments)
    sizes = native_arguments.sizes(tensors[3:10], batch_first)
    tensors = [_in_memory(tensor) for tensor in tensors]
    tape = tensors[-1]
    addresses = [0 if tensor is None else tensor.data_ptr() for tensor in (*tensors, *gradients)]
    _, backward = _PASSES[tape.dtype]
    backward(
        (*sizes, tape.numel()),
        (native_arguments.NUMBERS[activation], native_arguments.NUMBERS[cell_output_activation]),
        (truncated, batch_first),
        (*addresses[3:11], 0, 0, addresses[11]),
        (*addresses[:3], *addresses[12:]),
        _threads(sizes),
        instruction_set.chosen(),
    )
    return gradients


def _in_memory(tensor: Tensor | None) -> Tensor | None:
    """The tensor with its numbers in memory in their order and with their signs."""
    return None if tensor is None else tensor.resolve_neg().contiguous()


def _empty_results(*arguments: Any) -> tuple[Tensor, ...]:
    """Room for the results of `peephole_lstm`, whose arguments are checked.

    Raises:
        ValueError: see `native_arguments.check_inputs`.
    """
    *tensors, activation, cell_output_activation, _, batch_first, keep = arguments
    native_arguments.check_inputs(tensors, activation, cell_output_activation, batch_first)
    x, h0, c0 = tensors[:3]
    hidden, new = h0.size(-1), x.new_empty
    return (
        new((*x.shape[:-1], hidden)),
        new(h0.shape),
        new(c0.shape),
        new(native_arguments.tape_size(x, hidden, batch_first) if keep else 0),
    )


def _empty_gradients(*arguments: Any) -> tuple[Tensor, ...]:
    """Room for the results of `peephole_lstm_backward`, whose arguments are checked.

    Raises:
        ValueError: see `native_arguments.check_inputs`; errors, outputs or a tape of other shapes, dtypes or devices.
    """
    *tensors, activation, cell_output_activation, _, batch_first, needs_x = arguments
    inputs = tensors[3:10]
    native_arguments.check_inputs(inputs, activation, cell_output_activation, batch_first)
    x, h0, c0, *others = inputs
    shape, tape = (*x.shape[:-1], h0.size(-1)), (native_arguments.tape_size(x, h0.size(-1), batch_first),)
    named = zip(("dout", "dh", "dc", "out", "tape"), (*tensors[:3], *tensors[10:]), strict=True)
    for (name, tensor), expected in zip(named, (shape, h0.shape, c0.shape, shape, tape), strict=True):
        native_arguments.check(name, tensor, expected, x)
    return tuple(x.new_empty(0 if t is None else t.shape) for t in (x if needs_x else None, h0, c0, *others))


def _threads(sizes: tuple[int, int, int, int, int]) -> int:
    """As many as torch uses, where there is enough to do for them."""
    replicas, steps, batch, inputs, hidden = sizes
    work = replicas * steps * batch * hidden * (4 * (inputs + hidden) + _REST_OF_A_STEP)
    return max(1, min(torch.get_num_threads(), work // _WORTH_A_THREAD))


def _are_plain(tensors: Iterable[Any]) -> bool:
    """Whether dispatch leads to the CPU's code directly; it is then skipped, as it takes as long as a small layer."""
    return (
        all(type(t) in _PLAIN and (t is None or t.is_cpu) for t in tensors) and not torch._C._len_torch_dispatch_stack()
    )


def _are_batched(errors: Iterable[Tensor | None]) -> bool:
    """Whether the errors are batched: under `torch.func`, or in torch.autograd's vectorised Jacobians."""
    return torch._C._are_functorch_transforms_active() or any(
        error is not None and torch._C._functorch.is_legacy_batchedtensor(error) for error in errors
    )


class _Recurrence(torch.autograd.Function):
    """The operator for autograd (`torch.library.register_autograd` takes twice as long as a small layer itself)."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        *tensors, ctx.activation, ctx.cell_output_activation, ctx.truncated, ctx.batch_first, _ = arguments
        with torch._C._AutoDispatchBelowAutograd():
            out, h, c, tape = (_forward if _are_plain(tensors) else _FORWARD)(*arguments)
        ctx.mark_non_differentiable(tape)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, out, tape)
        return out, h, c, tape

    @staticmethod
    def backward(ctx: Any, *errors: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, out, tape = ctx.saved_tensors
        needed = ctx.needs_input_grad[: len(tensors)]
        if torch.is_grad_enabled() or _are_batched(errors[:3]):
            gradients = _gradients_of_the_loop(ctx, errors[:3], tensors, needed)
        else:
            given = (*errors[:3], *tensors, out, tape)
            switches = (ctx.activation, ctx.cell_output_activation, ctx.truncated, ctx.batch_first, needed[0])
            gradients = (_backward if _are_plain(given) else _BACKWARD)(*given, *switches)
        return *(g if is_needed else None for g, is_needed in zip(gradients, needed, strict=True)), *[None] * 5


def _gradients_of_the_loop(
    ctx: Any, errors: tuple[Tensor | None, ...], tensors: list[Tensor | None], needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """The gradients where they will be differentiated again, or where the errors are batched.

    The loop starts from aliases of the tensors. A tensor may have been computed from another one, as the state of a
    second call from the weights, and a gradient with respect to the tensors themselves would count the paths through
    that history again.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        aliases = [
            None if t is None else t.view_as(t) if create_graph else t.detach().requires_grad_(is_needed)
            for t, is_needed in zip(tensors, needed, strict=True)
        ]
        x, h, c, *weights = aliases
        switches = (ctx.activation, ctx.truncated, ctx.batch_first, ctx.cell_output_activation)
        results = recurrence.run(x, h, c, Weights(*weights), *switches)  # type: ignore[arg-type]
        given = [(result, error) for result, error in zip(results, errors, strict=True) if error is not None]
        if not given:
            return (None,) * len(tensors)
        wanted = [alias for alias, is_needed in zip(aliases, needed, strict=True) if is_needed]
        outputs, grad_outputs = zip(*given, strict=True)
        options = {"create_graph": create_graph, "allow_unused": True}
        found = iter(torch.autograd.grad(outputs, wanted, grad_outputs, **options))  # type: ignore[arg-type]
    return tuple(next(found) if is_needed else None for is_needed in needed)


def _in_float32(*arguments: Any) -> tuple[Tensor, ...]:
    """A substitute for `torch.library.register_autocast`, not in torch 2.6: half precision is computed in float32."""
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
