"""The segmentation stage's network in all its forms (Fig. 5.3), and how it segments crops."""

import torch
from torch import Tensor, nn

from medsearch.methods.modatts.networks.medformer import (
    CommonDecoder,
    MedformerEncoder,
    SegmentationDecoder,
    SeparateDecoders,
    SharedDecoder,
)
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.networks.latent import Latent
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

SLICES = 64
"""Axial slices per forward pass when a volume is segmented slice by slice."""


class Segmentor(nn.Module):
    """E and G_seg; where images are translated also G_com and G_res, which shares G_seg's weights or does not.

    A reference of the semi-supervised variant has that variant's G_seg, without the rest.
    """

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        network = recipe.sized_network
        self.dimensions = network.dimensions
        self.encoder = MedformerEncoder(network)
        self.generative = recipe.generative
        self.switched = recipe.variant == "semi-supervised"
        if not self.switched:
            self.decoder: nn.Module = SegmentationDecoder(network)
        elif recipe.generative and recipe.decoders == "separate":
            self.decoder = SeparateDecoders(network)
        else:
            self.decoder = SharedDecoder(network)
        if self.generative:
            self.common = CommonDecoder(network)

    def residual(self, latent: Latent) -> Tensor:
        """G_res: what to add to the healthy image, in (-1, 1)."""
        delta: Tensor = self.decoder(latent, "residual")
        return delta

    def segment(self, latent: Latent) -> Tensor:
        """G_seg: probabilities of tumour, of the shape of the images."""
        y_hat: Tensor = self.decoder(latent, "segmentation") if self.switched else self.decoder(latent)
        return y_hat

    def forward(self, x: Tensor) -> Tensor:
        """G_seg ∘ E: images (b, 1, *space) to probabilities of the same shape."""
        return self.segment(self.encoder(x))


@torch.no_grad()
def predict(segmentor: Segmentor, x: Tensor, runtime: Runtime) -> Tensor:
    """Probabilities of tumour in crops (b, 1, z, y, x), or (b, 1, y, x) in 2D, in eval mode.

    A 2D network segments the volumes among them slice by slice.
    """
    segmentor.eval()
    with autocast(runtime):
        if x.dim() - 2 == segmentor.dimensions:
            y_hat: Tensor = segmentor(x)
            return y_hat.float()
        slices = x.transpose(1, 2).flatten(0, 1)  # (b z) 1 y x
        found = torch.cat([segmentor(part).float() for part in torch.split(slices, runtime.at_once(SLICES))])
        return found.view(len(x), -1, *found.shape[1:]).transpose(1, 2)
