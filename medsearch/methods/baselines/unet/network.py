"""GenSeg's encoder and segmentation decoder as a U-Net."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.genseg.blocks import SwitchedNorm
from medsearch.networks.genseg.config import GenSegConfig
from medsearch.networks.genseg.decoders import ResidualSegmentationDecoder
from medsearch.networks.genseg.encoder import GenSegEncoder


@final
class UNet(nn.Module):
    """Images to probabilities of tumour; 6.437 M parameters, of which the residual's norms and head are frozen."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.encoder, self.decoder = GenSegEncoder(config), ResidualSegmentationDecoder(config)
        inner = self.decoder.decoder
        for unused in (*(part.norms for part in inner.modules() if isinstance(part, SwitchedNorm)), inner.heads):
            unused["residual"].requires_grad_(False)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Of the same size."""
        y: Tensor = self.decoder(self.encoder(x), "segmentation")
        return y
