"""How torch.compile is to make the kernels of the torch engine: one of each block of steps, with one net a thread.

By itself torch.compile cuts a block into many kernels, all of which read and write much of a net's state; and it gives
each thread of a GPU two or eight nets, which do not fit into its registers.
"""

from __future__ import annotations

import contextlib
from typing import Any

FUSED: dict[str, Any] = {"max_fusion_size": 10**6}
# Nets and warps of 32 threads in a block of threads. torch.compile's cache on disk does not know of them: with others,
# use TORCHINDUCTOR_FORCE_DISABLE_CACHES=1 once.
_TILE = {"XBLOCK": 64, "num_warps": 2, "num_stages": 1}


def one_net_a_thread() -> contextlib.AbstractContextManager[object]:
    """Within it torch.compile's kernels for a GPU have one net a thread."""
    from torch._inductor.choices import InductorChoices
    from torch._inductor.codegen.triton import FixedTritonConfig
    from torch._inductor.virtualized import V

    class Choices(InductorChoices):  # whose documentation says that this is how to make another choice
        def triton_kernel_kwargs(
            self, kernel_cls: Any, features: Any, groups: Any, kernel_kwargs: Any
        ) -> dict[str, Any]:
            return {**kernel_kwargs, "fixed_config": FixedTritonConfig(dict(_TILE))}

    return V.set_choices_handler(Choices())  # type: ignore[no-any-return]
