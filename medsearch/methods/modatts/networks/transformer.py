"""One pre-norm transformer layer: the ViT's, and, without biases and dropout, that of Medformer's map fusion."""

from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@final
class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)).

    Dropout acts in the MLP only, as in the published R50-ViT-B/16 configuration. Where the width does not divide into
    heads, their channels together are fewer than the width.
    """

    def __init__(
        self, width: int, *, heads: int, mlp: int, qkv_bias: bool = True, dropout: float = 0.0, eps: float = 1e-5
    ):
        super().__init__()
        inner = width // heads * heads
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.qkv = nn.Linear(width, 3 * inner, bias=qkv_bias)
        self.out = nn.Linear(inner, width)
        self.mlp_norm = nn.LayerNorm(width, eps=eps)
        self.mlp_in = nn.Linear(width, mlp)
        self.mlp_out = nn.Linear(mlp, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b tokens width"]) -> Float[Tensor, "b tokens width"]:
        """(b, tokens, width) to tokens of the same shape."""
        q, k, v = self._heads(x)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        hidden = self.dropout(F.gelu(self.mlp_in(self.mlp_norm(x))))
        out: Tensor = x + self.dropout(self.mlp_out(hidden))
        return out

    def attention(self, x: Float[Tensor, "b tokens width"]) -> Float[Tensor, "b heads tokens tokens"]:
        """What `forward` keeps to itself: how much every token looks at every other, in each head; rows sum to 1."""
        q, k, _ = self._heads(x)
        weights: Tensor = (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(3)
        return weights

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(self.attention_norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v
