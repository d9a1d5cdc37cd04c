"""The encoder and decoders of the GenSeg family in 2D (released code of M-GenSeg; the thesis, section 4.3.3).

The encoder makes of an image the codes c and u and skips; decoders make of these an image, or, sharing all weights but
norms and heads, a residual or a segmentation. They consist of pre-activated convolutions and attention gates.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.config import GenSegConfig
from medsearch.networks.latent import MODES, Latent, Mode
from medsearch.networks.norms import SampleNorm, add_spectral_norm

Features = Float[Tensor, "b _channels _h _w"]
_twice = partial(F.interpolate, scale_factor=2, mode="nearest")


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
        """`x` by the norm of `mode`, in its shape."""
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


@final
class GenSegEncoder(nn.Module):
    """E: slices (b, 1, h, w) to the codes [c, u] at the coarsest level, and a skip of every finer one.

    Raises:
        BadInput: the config fits no network.

    """

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        config.check()
        self.common_channels = config.common
        self.first = convolution(1, config.channels[0], config.kernel)
        self.downs = nn.ModuleList(Down(a, b, config.kernel) for a, b in pairwise(config.channels))
        self.norm = nn.InstanceNorm2d(config.channels[-1])
        if config.spectral_norm:
            add_spectral_norm(self)

    def forward(self, x: Features) -> Latent:
        """The skips are not split: every decoder gets all of them, also the common one."""
        features = [self.first(x)]
        for down in self.downs:
            features.append(down(features[-1]))
        code = F.relu(self.norm(features.pop()))
        return Latent(code, skips=tuple(features), maps=(), common_channels=self.common_channels)


@final
class Decoder(nn.Module):
    """Up blocks with skips and a last convolution to one channel; norms and heads come twice, the mode picks one."""

    def __init__(self, config: GenSegConfig, inputs: int, *, kernel: int, shortcuts: bool) -> None:
        super().__init__()
        config.check()
        outputs = config.channels[-2::-1]
        widths = [inputs, *(2 * channels for channels in outputs)]  # a block's output comes with the skip of its level
        blocks = enumerate(zip(widths, outputs, strict=False))
        self.ups = nn.ModuleList(Up(a, b, kernel, first=not depth, shortcut=shortcuts) for depth, (a, b) in blocks)
        gated = config.skips == "attention"
        self.gates = nn.ModuleList(Gate(channels) for channels in outputs) if gated else None
        self.norm, last = SwitchedNorm(widths[-1]), widths[-1]
        self.convolve = convolution(last, last, kernel)
        self.heads = nn.ModuleDict()
        for mode in MODES:
            layers = {"norm": SampleNorm(last), "relu": nn.ReLU(), "convolve": convolution(last, 1, config.head)}
            self.heads[mode] = nn.Sequential(OrderedDict(layers))
        if config.spectral_norm:
            add_spectral_norm(self)

    def forward(self, code: Features, skips: Sequence[Features], mode: Mode) -> Features:
        """One channel of the image's size, not bounded."""
        x = code
        for depth, (up, skip) in enumerate(zip(self.ups, reversed(skips), strict=True)):
            x = up(x, skip.shape[2:], mode)
            x = torch.cat([x, self.gates[depth](skip, x) if self.gates is not None else skip], 1)
        y: Tensor = self.heads[mode](self.convolve(F.relu(self.norm(x, mode))))
        return y


@final
class ImageDecoder(nn.Module):
    """Codes and all skips to an image (b, 1, h, w) in (-1, 1), as large as the finest skip.

    common: G_com, of the common code alone, to the healthy image (Eqs. 4.1 and 4.2). Otherwise G_S or G_T, of both
    codes of the other modality, to an image of this one (section 4.3.1).
    As released it carries norms and a head for a mode that nobody asks for (3 391 parameters); they are frozen.
    """

    def __init__(self, config: GenSegConfig, *, common: bool) -> None:
        super().__init__()
        self.common = common
        inputs = config.common if common else config.channels[-1]
        decoder = Decoder(config, inputs, kernel=config.kernel, shortcuts=True)
        norms = [part.norms for part in decoder.modules() if isinstance(part, SwitchedNorm)]
        for unused in (*norms, decoder.heads):
            unused["segmentation"].requires_grad_(False)
        self.image = nn.ModuleDict({"decoder": decoder})

    def forward(self, latent: Latent) -> Features:
        """(b, 1, h, w) in (-1, 1)."""
        code = latent.common if self.common else latent.code
        return torch.tanh(self.image["decoder"](code, latent.skips, "residual"))


@final
class ResidualSegmentationDecoder(nn.Module):
    """G_res and G_seg: the same weights but for norms, heads and one more 1x1 classifier (section 4.3.1)."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.decoder = Decoder(config, config.channels[-1], kernel=config.wide, shortcuts=False)
        self.classify = nn.Conv2d(1, 1, 1)  # the one convolution without spectral norm
        nn.init.kaiming_normal_(self.classify.weight)

    def forward(self, latent: Latent, mode: Mode) -> Features:
        """A residual in (-1, 1), or probabilities of tumour; (b, 1, h, w)."""
        x: Tensor = self.decoder(latent.code, latent.skips, mode)
        return torch.tanh(x) if mode == "residual" else torch.sigmoid(self.classify(x))
