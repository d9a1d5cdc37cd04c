"""The segmentation stage's network in all its forms (Fig. 5.3)."""

from torch import Tensor, nn

from medsearch.methods.modatts.networks.decoders import (
    CommonDecoder,
    SegmentationDecoder,
    SeparateDecoders,
    SharedDecoder,
)
from medsearch.methods.modatts.networks.latent import Latent
from medsearch.methods.modatts.networks.medformer import MedformerEncoder
from medsearch.methods.modatts.recipe import SegmentationRecipe


class Segmentor(nn.Module):
    """E and G_seg; in the semi-supervised variant also G_com and G_res, which shares G_seg's weights or does not."""

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        network = recipe.sized_network
        self.encoder = MedformerEncoder(network)
        self.generative = recipe.variant == "semi-supervised"
        if self.generative:
            self.common = CommonDecoder(network)
            self.decoder: nn.Module = {"shared": SharedDecoder, "separate": SeparateDecoders}[recipe.decoders](network)
        else:
            self.decoder = SegmentationDecoder(network)

    def residual(self, latent: Latent) -> Tensor:
        """G_res: what to add to the healthy image, in (-1, 1)."""
        delta: Tensor = self.decoder(latent, "residual")
        return delta

    def segment(self, latent: Latent) -> Tensor:
        """G_seg: probabilities of tumour."""
        y_hat: Tensor = self.decoder(latent, "segmentation") if self.generative else self.decoder(latent)
        return y_hat

    def forward(self, x: Tensor) -> Tensor:
        """G_seg ∘ E: images (b, 1, *space) to probabilities of the same shape."""
        return self.segment(self.encoder(x))

