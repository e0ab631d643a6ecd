"""A causal transformer layer with rotary positions (Vaswani et al. 2017; Su et al., RoFormer, arXiv:2104.09864)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CausalTransformer(nn.Module):
    r"""An embedding, causal self-attention and a feed-forward net, each with a residual (pre-norm). It has no state.

    .. math::
        e &= W_e x + b_e, \quad q, k, v = W \, \mathrm{RMSNorm}(e) \\
        a &= e + W_o \, \mathrm{softmax}_{s \le t}\!\left(\frac{(R_t q_t) \cdot (R_s k_s)}{\sqrt{H}}\right) v, \quad
        h = a + W_2 \, \mathrm{gelu}(W_1 \, \mathrm{RMSNorm}(a) + b_1) + b_2

    R_t turns the pair (j, j + H/2) of a vector by t 10000^{-2j/H}, so that a score depends on t - s alone. One head.
    Positions begin with 0 at the first step of every call. Time and memory grow with T^2 at most.

    Args:
        input_size: I, features of x.
        hidden_size: H, features of the output, even.

    Parameters (matrices and biases as `nn.Linear` draws them, gains 1 at first):
        embedding: (H, I) and a bias.
        attention_norm, attention: a gain (H,), and W, (3H, H), rows q, k, v.
        projection: W_o, (H, H).
        norm, feed_forward: a gain (H,), and W_1, (2H, H), W_2, (H, 2H) with biases.

    Raises:
        ValueError: sizes below 1 or an odd hidden size.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import CausalTransformer
        >>> output, _ = CausalTransformer(1, 8)(torch.zeros(16, 50, 1))
        >>> output.shape
        torch.Size([16, 50, 8])
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1 or hidden_size % 2:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}: at least 1, and the second even")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.embedding = nn.Linear(input_size, hidden_size)
        self.attention_norm = nn.RMSNorm(hidden_size, eps=1e-5)
        self.attention = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.projection = nn.Linear(hidden_size, hidden_size, bias=False)
        self.norm = nn.RMSNorm(hidden_size, eps=1e-5)
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden_size, 2 * hidden_size), nn.GELU(), nn.Linear(2 * hidden_size, hidden_size)
        )

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """The outputs (N, T, H) for inputs x (N, T, I), and None."""
        if state is not None:
            raise ValueError("a transformer layer has no state")
        e = self.embedding(x)
        q, k, v = self.attention(self.attention_norm(e)).chunk(3, dim=-1)  # (N, T, H) each
        q, k, v = (one.unsqueeze(1) for one in (turned(q), turned(k), v))  # (N, 1, T, H)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1)
        a = e + self.projection(attended)
        return a + self.feed_forward(self.norm(a)), None


def turned(vectors: Tensor) -> Tensor:
    """Vectors (N, T, H) turned by their positions 0 to T - 1 (Su et al., equation 34)."""
    half = vectors.size(-1) // 2
    position, pair = (torch.arange(n, device=vectors.device, dtype=vectors.dtype) for n in (vectors.size(1), half))
    angle = position.unsqueeze(-1) * 10000.0 ** (-pair / half)  # (T, H/2)
    first, second = vectors.chunk(2, dim=-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
