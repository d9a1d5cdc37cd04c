"""Medformer's convolutions: pre-activation residual blocks, MBConv, patch merging (table 5.2, released code)."""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.modatts.networks.layers import Convolution, Layers
from medsearch.networks.latent import Mode

SQUEEZE = 4


@final
class NormActConv(nn.Module):
    """Instance norm, GELU (unless `activated` is false), convolution."""

    def __init__(self, layers: Layers, convolution: Convolution, *, activated: bool = True):
        super().__init__()
        self.norm = layers.norm(convolution.inputs)
        self.convolution = convolution
        self.activated = activated

    def forward(self, x: Float[Tensor, "b c *space"], mode: Mode | None) -> Float[Tensor, "b o *space"]:
        """(b, inputs, *space) to (b, outputs, *space); `mode` switches the norm, None where there is but one."""
        x = self.norm(x, mode)
        y: Tensor = self.convolution(F.gelu(x) if self.activated else x)
        return y


@final
class BasicBlock(nn.Module):
    """Two norm-GELU-convolutions and a shortcut, itself a norm-GELU-convolution where the channels change.

    Both branches begin at the same features. Where their norms have no parameters they are one branch until the
    convolution, so that it is made one of twice the outputs: the widest activations are computed and kept once.
    """

    def __init__(self, layers: Layers, inputs: int, outputs: int):
        super().__init__()
        self.joined = inputs != outputs and not layers.modes
        self.first = NormActConv(layers, layers.conv(inputs, 2 * outputs if self.joined else outputs))
        self.second = NormActConv(layers, layers.conv(outputs, outputs))
        separate = inputs != outputs and not self.joined
        self.shortcut = NormActConv(layers, layers.conv(inputs, outputs)) if separate else None

    def forward(self, x: Float[Tensor, "b c *space"], mode: Mode | None = None) -> Float[Tensor, "b o *space"]:
        """(b, inputs, *space) to (b, outputs, *space); `mode` switches the norms."""
        y, shortcut = self.first(x, mode), x
        if self.joined:
            y, shortcut = y.chunk(2, 1)
        elif self.shortcut is not None:
            shortcut = self.shortcut(x, mode)
        out: Tensor = self.second(y, mode) + shortcut
        return out


@final
class SqueezeExcitation(nn.Module):
    """Channels weighted by a gate that sees their means over space."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, max(1, channels // SQUEEZE))
        self.excite = nn.Linear(max(1, channels // SQUEEZE), channels)

    def forward(self, x: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Features of the same shape, each channel times its gate."""
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.flatten(2).mean(2)))))
        return x * gate.view(*gate.shape, *[1] * (x.dim() - 2))


@final
class MBConv(nn.Module):
    """Inverted bottleneck: expand, depthwise 3-convolution, squeeze and excitation, project; residual."""

    def __init__(self, layers: Layers, channels: int, *, expansion: int):
        super().__init__()
        wide = channels * expansion
        self.expand = NormActConv(layers, layers.conv(channels, wide, kernel=1))
        self.depthwise = NormActConv(layers, layers.conv(wide, wide, groups=wide))
        self.gate = SqueezeExcitation(wide)
        self.project = NormActConv(layers, layers.conv(wide, channels, kernel=1), activated=False)

    def forward(self, x: Float[Tensor, "b c *space"], mode: Mode | None) -> Float[Tensor, "b c *space"]:
        """Features of the same shape; `mode` switches the norms."""
        wide = self.gate(self.depthwise(self.expand(x, mode), mode))
        out: Tensor = x + self.project(wide, mode)
        return out


def separable(layers: Layers, inputs: int, outputs: int) -> nn.Sequential:
    """A depthwise 3-convolution and a pointwise one, nothing between."""
    return nn.Sequential(layers.conv(inputs, inputs, groups=inputs), layers.conv(inputs, outputs, kernel=1))


@final
class PatchMerging(nn.Module):
    """Down-sampling by `scale` on every axis: the voxels of a patch become channels, are normed and projected."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, *, scale: int):
        super().__init__()
        merged = inputs * scale**layers.dimensions
        self.scale = scale
        self.norm = layers.norm(merged)
        self.project = separable(layers, merged, outputs)

    def forward(self, x: Float[Tensor, "b c *fine"], mode: Mode | None = None) -> Float[Tensor, "b o *coarse"]:
        """The sides must be multiples of the scale."""
        out: Tensor = self.project(self.norm(_merged(x, self.scale), mode))
        return out


def _merged(x: Float[Tensor, "b c *fine"], scale: int) -> Float[Tensor, "b merged *coarse"]:
    """Space to channels, a patch's voxels before its channels."""
    if scale == 1:
        return x
    sides = x.shape[2:]
    x = x.reshape(*x.shape[:2], *(part for side in sides for part in (side // scale, scale)))
    across, within = range(2, x.dim(), 2), range(3, x.dim(), 2)
    return x.permute(0, *within, 1, *across).flatten(1, 1 + len(sides))
