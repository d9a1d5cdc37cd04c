"""Medformer's bidirectional attention: voxels look at a few semantic codes, and the codes look back at the voxels.

A level's semantic map is a tensor (batch, channels, codes); the released code folds its codes into a small volume, but
only 1x1 convolutions and norms over all of them ever see it.
"""

import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.modatts.networks.blocks import MBConv, NormActConv, separable
from medsearch.methods.modatts.networks.layers import Convolution, Layers
from medsearch.methods.modatts.networks.transformer import TransformerLayer
from medsearch.networks.latent import Mode


def pointwise(inputs: int, outputs: int) -> Convolution:
    """A linear map of every code's channels."""
    return Convolution(1, (inputs, outputs), kernel=1)


@final
class SemanticMap(nn.Module):
    """Gathers a level's features into codes, each a weighted mean over all of space."""

    def __init__(self, layers: Layers, channels: int, codes: int):
        super().__init__()
        self.split = channels, codes
        self.project = layers.conv(channels, channels + codes)  # values and logits read the same features

    def forward(self, x: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c codes"]:
        """(b, channels, *space) to (b, channels, codes)."""
        values, logits = self.project(x).flatten(2).split(self.split, 1)
        codes: Tensor = values @ logits.softmax(2).transpose(1, 2)
        return codes


@final
class BidirectionalAttention(nn.Module):
    """One affinity between voxels and codes, used both ways: q and v of either side, no k (Medformer, "B-MHA").

    With `returns_codes` false nobody reads the updated codes, and they are not computed.
    """

    def __init__(self, layers: Layers, inputs: int, outputs: int, *, heads: int, returns_codes: bool):
        super().__init__()
        inner = outputs // heads * heads
        self.heads = heads
        self.features_qv = separable(layers, inputs, 2 * inner)
        self.codes_qv = pointwise(outputs, 2 * inner)
        self.features_out = separable(layers, inner, outputs)
        self.codes_out = pointwise(inner, outputs) if returns_codes else None

    def forward(
        self, x: Float[Tensor, "b c *space"], codes: Float[Tensor, "b o codes"]
    ) -> tuple[Float[Tensor, "b o *space"], Float[Tensor, "b o codes"] | None]:
        """The two updates, before they are added to what they update."""
        affinity, x_v, codes_v = self._affinity(x, codes)
        x_new = codes_v @ affinity.softmax(3).transpose(2, 3)
        x_new = self.features_out(x_new.reshape(len(x), -1, *x.shape[2:]))
        if self.codes_out is None:
            return x_new, None
        return x_new, self.codes_out((x_v @ affinity.softmax(2)).flatten(1, 2))

    def attention(
        self, x: Float[Tensor, "b c *space"], codes: Float[Tensor, "b o codes"]
    ) -> Float[Tensor, "b heads codes voxels"]:
        """How much every code looks at every voxel, in each head, when codes are updated; rows sum to 1."""
        return self._affinity(x, codes)[0].softmax(2).transpose(2, 3)

    def _affinity(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Affinity (batch, heads, voxels, codes), and the values of voxels and of codes."""
        x_q, x_v = self._heads(self.features_qv(x))
        codes_q, codes_v = self._heads(self.codes_qv(codes))
        return x_q.transpose(2, 3) @ (codes_q * x_q.shape[2] ** -0.5), x_v, codes_v

    def _heads(self, qv: Tensor) -> tuple[Tensor, Tensor]:
        q, v = qv.reshape(len(qv), 2, self.heads, -1, math.prod(qv.shape[2:])).unbind(1)
        return q, v


@final
class AttentionBlock(nn.Module):
    """Norms on both streams, bidirectional attention, residuals, and an MBConv on the features."""

    def __init__(
        self, layers: Layers, inputs: int, outputs: int, *, heads: int, expansion: int, returns_codes: bool = True
    ):
        super().__init__()
        self.norm, self.codes_norm = layers.norm(inputs), layers.norm(outputs)
        self.attention = BidirectionalAttention(layers, inputs, outputs, heads=heads, returns_codes=returns_codes)
        self.shortcut = NormActConv(layers, layers.conv(inputs, outputs, kernel=1)) if inputs != outputs else None
        self.feedforward = MBConv(layers, outputs, expansion=expansion)

    def forward(
        self, x: Float[Tensor, "b c *space"], codes: Float[Tensor, "b o codes"], mode: Mode | None = None
    ) -> tuple[Float[Tensor, "b o *space"], Float[Tensor, "b o codes"]]:
        """Updated features and updated codes (as they came where nobody reads them)."""
        x_new, codes_new = self.attention(self.norm(x, mode), self.codes_norm(codes, mode))
        x_new = x_new + (x if self.shortcut is None else self.shortcut(x, mode))
        return self.feedforward(x_new, mode), codes if codes_new is None else codes + codes_new


@final
class MapFusion(nn.Module):
    """A small transformer over the codes of all levels together."""

    def __init__(self, channels: Sequence[int], width: int, *, heads: int, depth: int):
        super().__init__()
        self.enter = nn.ModuleList(pointwise(c, width) for c in channels)
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads=heads, mlp=width, qkv_bias=False) for _ in range(depth)
        )
        self.leave = nn.ModuleList(pointwise(width, c) for c in channels)

    def forward(self, maps: Sequence[Float[Tensor, "b _ codes"]]) -> list[Float[Tensor, "b _ codes"]]:
        """As many maps, of the same shapes."""
        tokens = torch.cat([enter(codes) for enter, codes in zip(self.enter, maps, strict=True)], 2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        parts = tokens.transpose(1, 2).chunk(len(maps), 2)
        return [leave(part) for leave, part in zip(self.leave, parts, strict=True)]
