"""What segmentation networks are made of, in 2D and 3D: convolutions, and instance norms that may be switched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.config import Dimensions
from medsearch.networks.latent import Mode

_CONVOLUTION = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


class _ChannelsLast(torch.autograd.Function):
    """Channels-last on the way in, channels-first on the way back.

    On a CPU, 3D convolutions of few channels run two to three times as fast channels-last, and all else much slower,
    above all where the two layouts meet, so neither features nor gradients may leave a convolution that way.
    """

    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last_3d)

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


@final
class Convolution(nn.Module):
    """A convolution that keeps the size of its input, without bias unless asked; initialised as PyTorch's own."""

    def __init__(
        self, dimensions: int, channels: tuple[int, int], *, kernel: int = 3, groups: int = 1, bias: bool = False
    ):
        super().__init__()
        modules = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
        made = modules[dimensions](*channels, kernel, groups=groups, bias=bias)
        self.weight, self.bias = made.weight, made.bias
        self.inputs = channels[0]
        self._convolve, self._padding, self._groups = _CONVOLUTION[dimensions], kernel // 2, groups
        self._channels_last = kernel > 1 and dimensions == 3

    def forward(self, x: Float[Tensor, "batch channels *space"]) -> Float[Tensor, "batch out *space"]:
        """(b, inputs, *space) to (b, outputs, *space), of the same size."""
        if not (self._channels_last and x.device.type == "cpu"):
            return self._convolve(x, self.weight, self.bias, padding=self._padding, groups=self._groups)
        x = _ChannelsLast.apply(x)  # type: ignore[no-untyped-call]
        return F.conv3d(x, self.weight, self.bias, padding=self._padding, groups=self._groups).contiguous()


@final
class InstanceNorm(nn.Module):
    """Instance norm without parameters, eps 1e-5."""

    def forward(self, x: Float[Tensor, "b c *space"], mode: Mode | None) -> Float[Tensor, "b c *space"]:  # noqa: ARG002
        """Any mode gives the same; one channel a group is the fastest instance norm that PyTorch has on a CPU."""
        return F.group_norm(x, x.shape[1])


@final
class SwitchedInstanceNorm(nn.Module):
    """Instance norm with one set of scales and shifts per mode (section 5.4.2, "weight sharing")."""

    def __init__(self, channels: int, modes: Sequence[Mode]):
        super().__init__()
        self.scale = nn.ParameterDict({mode: torch.ones(channels) for mode in modes})
        self.shift = nn.ParameterDict({mode: torch.zeros(channels) for mode in modes})

    def forward(self, x: Float[Tensor, "b c *space"], mode: Mode | None) -> Float[Tensor, "b c *space"]:
        """Uses, and in the backward pass touches, only the parameters of `mode`."""
        assert mode is not None
        return F.group_norm(x, x.shape[1], self.scale[mode], self.shift[mode])


Norm = InstanceNorm | SwitchedInstanceNorm


@dataclass(frozen=True)
class Layers:
    """Makes the layers of one network: 2D or 3D, with norms switched by `modes` or, without any, free of parameters."""

    dimensions: Dimensions
    modes: tuple[Mode, ...] = ()

    def conv(self, inputs: int, outputs: int, *, kernel: int = 3, groups: int = 1, bias: bool = False) -> Convolution:
        """A convolution over the axes of space that keeps their size."""
        return Convolution(self.dimensions, (inputs, outputs), kernel=kernel, groups=groups, bias=bias)

    def norm(self, channels: int) -> Norm:
        """An instance norm, in space or over codes."""
        return SwitchedInstanceNorm(channels, self.modes) if self.modes else InstanceNorm()

    def resize(self, x: Float[Tensor, "b c *from"], size: Sequence[int]) -> Float[Tensor, "b c *to"]:
        """Linear interpolation that keeps the corner voxels in place."""
        if x.shape[2:] == torch.Size(size):
            return x
        return F.interpolate(x, size=tuple(size), mode=_INTERPOLATION[self.dimensions], align_corners=True)
