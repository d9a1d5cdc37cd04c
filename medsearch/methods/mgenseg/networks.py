"""M-GenSeg's generators (Fig. 4.1): what one modality has, and the translation between two.

At paper scale encoders have 1.537M parameters each, common decoders 1.619M, residual/segmentation decoders 4.901M,
translation decoders 1.896M: 19.904M in all; the six discriminators have 7.270M each, 43.618M in all.
"""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.data.views import Domain
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.networks.genseg.config import GenSegConfig
from medsearch.networks.genseg.decoders import CommonDecoder, ResidualSegmentationDecoder, TranslationDecoder
from medsearch.networks.genseg.encoder import GenSegEncoder
from medsearch.networks.latent import Latent

Slices = Float[Tensor, "batch 1 height width"]

OTHER: dict[Domain, Domain] = {"source": "target", "target": "source"}


@final
class GenSegNet(nn.Module):
    """E, G_com and G_res, which shares all weights but norms and heads with G_seg, of one modality."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.encoder = GenSegEncoder(config)
        self.common = CommonDecoder(config)
        self.decoder = ResidualSegmentationDecoder(config)

    def residual(self, codes: Latent) -> Slices:
        """G_res: what to add to the healthy image, in (-1, 1)."""
        delta: Tensor = self.decoder(codes, "residual")
        return delta

    def segment(self, codes: Latent) -> Slices:
        """G_seg: probabilities of tumour."""
        y_hat: Tensor = self.decoder(codes, "segmentation")
        return y_hat

    def forward(self, x: Slices) -> Slices:
        """G_seg ∘ E."""
        return self.segment(self.encoder(x))


@final
class MGenSegNet(nn.Module):
    """A GenSeg of each modality and, for two of them, the translation decoders G_S and G_T.

    With separate latent spaces a translation has encoders of its own.
    """

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        self.domains = recipe.domains
        self.genseg = nn.ModuleDict({domain: GenSegNet(recipe.network) for domain in self.domains})
        translated = self.domains if len(self.domains) == 2 else ()
        self.translators = nn.ModuleDict({domain: TranslationDecoder(recipe.network) for domain in translated})
        self.shared = recipe.latent == "shared"
        own = () if self.shared else translated
        self.translation_encoders = nn.ModuleDict({domain: GenSegEncoder(recipe.network) for domain in own})

    def of(self, domain: Domain) -> GenSegNet:
        """The GenSeg of one modality."""
        genseg = self.genseg[domain]
        assert isinstance(genseg, GenSegNet)
        return genseg

    def encode_for_translation(self, x: Slices, domain: Domain) -> Latent:
        """The codes that are decoded in the other modality."""
        codes: Latent = (self.of(domain).encoder if self.shared else self.translation_encoders[domain])(x)
        return codes

    def translate(self, codes: Latent, domain: Domain) -> Slices:
        """G_T of a source image's codes, G_S of a target image's; `domain` is the image's own."""
        x: Tensor = self.translators[OTHER[domain]](codes)
        return x


@final
class Discriminators(nn.Module):
    """D_P and D_A of each modality, and D_S and D_T, which see diseased and healthy images alike."""

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()

        def judge() -> MultiScaleDiscriminator:
            return MultiScaleDiscriminator(recipe.discriminator)

        here = recipe.domains
        self.presence = nn.ModuleDict({domain: judge() for domain in here})
        self.absence = nn.ModuleDict({domain: judge() for domain in here})
        self.modality = nn.ModuleDict({domain: judge() for domain in here if len(here) == 2})
