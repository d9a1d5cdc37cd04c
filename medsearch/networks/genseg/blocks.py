"""What GenSeg's networks are made of: pre-activated convolutions with shortcuts, norms by mode, attention gates."""

from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.latent import MODES, Mode
from medsearch.networks.norms import SampleNorm

Features = Float[Tensor, "b _channels _h _w"]


def convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
    """A convolution that reflects its input at the edges; weights from Kaiming's normal distribution (fan-in)."""
    mode: Literal["reflect", "zeros"] = "reflect" if kernel > 1 else "zeros"  # nothing to reflect would still be copied
    made = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=mode)
    nn.init.kaiming_normal_(made.weight)
    return made


@final
class SwitchedNorm(nn.Module):
    """Sample norms of which the mode picks one: the residual and the segmentation decoder share all but these."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({mode: SampleNorm(channels) for mode in MODES})

    def forward(self, x: Features, mode: Mode) -> Features:
        """Keeps the shape."""
        normed: Tensor = self.norms[mode](x)
        return normed


@final
class Down(nn.Module):
    """IN, ReLU and a convolution of stride 2, plus every second pixel of the input, projected by a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(inputs)
        self.convolve = convolution(inputs, outputs, kernel, stride=2)
        self.project = convolution(inputs, outputs, 1)

    def forward(self, x: Features) -> Features:
        """Half as many rows and columns, rounded up."""
        y: Tensor = self.convolve(F.relu(self.norm(x))) + self.project(x[..., ::2, ::2])
        return y


@final
class Up(nn.Module):
    """Twice as fine: norm, ReLU, nearest neighbours and a convolution; with a shortcut in the narrow decoders.

    The first block of a decoder takes codes, which are normed and rectified already: it only convolves.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, first: bool, shortcut: bool) -> None:
        super().__init__()
        self.norm = None if first else SwitchedNorm(inputs)
        self.convolve = convolution(inputs, outputs, kernel)
        self.project = convolution(inputs, outputs, 1) if shortcut and not first else None

    def forward(self, x: Features, size: torch.Size, mode: Mode) -> Features:
        """Features of `size` (h, w), at most twice that of `x`: trailing rows and columns are cut off."""
        active = x if self.norm is None else F.relu(self.norm(x, mode))
        y: Tensor = self.convolve(_twice(active))
        if self.project is not None:
            y = y + _twice(self.project(x))  # a 1x1 convolution may as well come before the pixels are repeated
        return y[..., : size[0], : size[1]]


@final
class Gate(nn.Module):
    """An attention gate on a skip: 2 · x · ψ, with ψ of what the decoder has so far (section 4.3.3; 2 as released)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.of_decoder = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.of_skip = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.psi = nn.Sequential(nn.ReLU(), nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, skip: Features, decoded: Features) -> Features:
        """The skip, twice as strong where ψ is 1 and gone where it is 0."""
        attention: Tensor = self.psi(self.of_decoder(decoded) + self.of_skip(skip))
        return 2 * skip * attention


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
