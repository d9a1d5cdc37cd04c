"""GenSeg's decoders: from the common code, or from both codes, to an image; to a residual or a segmentation."""

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsearch.networks.genseg.blocks import Features, Gate, SwitchedNorm, Up, convolution
from medsearch.networks.genseg.config import GenSegConfig
from medsearch.networks.latent import MODES, Latent, Mode
from medsearch.networks.norms import SampleNorm, add_spectral_norm


@final
class _Decoder(nn.Module):
    """Up blocks with skips and a last convolution; norms and heads come in two sets, of which the mode picks one."""

    def __init__(self, config: GenSegConfig, inputs: int, *, kernel: int, shortcuts: bool) -> None:
        super().__init__()
        config.check()
        outputs = config.channels[-2::-1]
        widths = [inputs, *(2 * channels for channels in outputs)]  # a block's output comes with the skip of its level
        blocks = enumerate(zip(widths, outputs, strict=False))
        self.ups = nn.ModuleList(Up(a, b, kernel, first=not depth, shortcut=shortcuts) for depth, (a, b) in blocks)
        gated = config.skips == "attention"
        self.gates = nn.ModuleList(Gate(channels) for channels in outputs) if gated else None
        self.norm = SwitchedNorm(widths[-1])
        self.convolve = convolution(widths[-1], widths[-1], kernel)
        self.heads = nn.ModuleDict({mode: _Head(widths[-1], config.head) for mode in MODES})
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
class _Head(nn.Module):
    """Norm, ReLU and a wide convolution to one channel."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.norm = SampleNorm(channels)
        self.convolve = convolution(channels, 1, kernel)

    def forward(self, x: Features) -> Features:
        """Keeps rows and columns."""
        y: Tensor = self.convolve(F.relu(self.norm(x)))
        return y


@final
class _ImageDecoder(nn.Module):
    """Codes to an image in (-1, 1).

    As released it carries norms and a head for a mode that nobody asks for (3 391 parameters); they are frozen.
    """

    def __init__(self, config: GenSegConfig, inputs: int) -> None:
        super().__init__()
        self.decoder = _Decoder(config, inputs, kernel=config.kernel, shortcuts=True)
        norms = [part.norms for part in self.decoder.modules() if isinstance(part, SwitchedNorm)]
        for unused in (*norms, self.decoder.heads):
            unused["segmentation"].requires_grad_(False)

    def forward(self, code: Features, skips: Sequence[Features]) -> Features:
        """An image as large as the finest skip."""
        return torch.tanh(self.decoder(code, skips, "residual"))


@final
class CommonDecoder(nn.Module):
    """G_com: the common code and all skips to the healthy image (Eqs. 4.1 and 4.2)."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.image = _ImageDecoder(config, config.common)

    def forward(self, latent: Latent) -> Features:
        """(b, 1, h, w) in (-1, 1)."""
        x: Tensor = self.image(latent.common, latent.skips)
        return x


@final
class TranslationDecoder(nn.Module):
    """G_S or G_T: both codes and all skips of the other modality to an image of this one (section 4.3.1)."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.image = _ImageDecoder(config, config.channels[-1])

    def forward(self, latent: Latent) -> Features:
        """(b, 1, h, w) in (-1, 1)."""
        x: Tensor = self.image(latent.code, latent.skips)
        return x


@final
class ResidualSegmentationDecoder(nn.Module):
    """G_res and G_seg: the same weights but for norms, heads and one more 1x1 classifier (section 4.3.1)."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.decoder = _Decoder(config, config.channels[-1], kernel=config.wide, shortcuts=False)
        self.classify = nn.Conv2d(1, 1, 1)  # the one convolution without spectral norm
        nn.init.kaiming_normal_(self.classify.weight)

    def forward(self, latent: Latent, mode: Mode) -> Features:
        """A residual in (-1, 1), or probabilities of tumour; (b, 1, h, w)."""
        x: Tensor = self.decoder(latent.code, latent.skips, mode)
        return torch.tanh(x) if mode == "residual" else torch.sigmoid(self.classify(x))
