"""M-GenSeg's networks (Fig. 4.1), and one forward pass: what each modality's images become (section 4.3.1).

At paper scale encoders have 1.537M parameters each, common decoders 1.619M, residual/segmentation decoders 4.901M,
translation decoders 1.896M: 19.904M in all; the six discriminators have 7.270M each, 43.618M in all.

Images that take the same network go through it together. Only the batch norms of the attention gates can tell: they see
diseased and healthy images at once. Passes that feed no loss are left out: the released code decodes pseudo-images to
residuals and translates images to their own modality with weights of 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.cohorts.views import Domain
from medsearch.losses.codes import LatentCodes
from medsearch.methods.mgenseg.batches import Batch
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.networks.config import GenSegConfig
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.networks.genseg import GenSegEncoder, ImageDecoder, ResidualSegmentationDecoder
from medsearch.networks.latent import Latent
from medsearch.training.generative import FromAbsence, FromPresence, codes_found_again, from_both, from_presence

Slices = Float[Tensor, "batch 1 height width"]

OTHER: dict[Domain, Domain] = {"source": "target", "target": "source"}


@final
class GenSegNet(nn.Module):
    """E, G_com and G_res, which shares all weights but norms and heads with G_seg, of one modality."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.encoder = GenSegEncoder(config)
        self.common = ImageDecoder(config, common=True)
        self.decoder = ResidualSegmentationDecoder(config)

    def residual(self, codes: Latent) -> Slices:
        """G_res: what to add to the healthy image, in (-1, 1)."""
        delta: Tensor = self.decoder(codes, "residual")
        return delta

    def segment(self, codes: Latent) -> Slices:
        """G_seg: probabilities of tumour, from codes and skips, (b, 1, h, w)."""
        y_hat: Tensor = self.decoder(codes, "segmentation")
        return y_hat

    def forward(self, x: Slices) -> Slices:
        """G_seg ∘ E: probabilities of tumour in images, (b, 1, h, w)."""
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
        self.translators = nn.ModuleDict({domain: ImageDecoder(recipe.network, common=False) for domain in translated})
        self.shared = recipe.latent == "shared"
        own = () if self.shared else translated
        self.translation_encoders = nn.ModuleDict({domain: GenSegEncoder(recipe.network) for domain in own})

    def of(self, domain: Domain) -> GenSegNet:
        """The encoder and decoders of one modality, which must be one that it was built for."""
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
        here, judge = recipe.domains, partial(MultiScaleDiscriminator, recipe.discriminator)
        self.presence = nn.ModuleDict({domain: judge() for domain in here})
        self.absence = nn.ModuleDict({domain: judge() for domain in here})
        self.modality = nn.ModuleDict({domain: judge() for domain in here if len(here) == 2})


@dataclass(frozen=True)
class Wanted:
    """Which parts of the method any loss looks at."""

    generation: bool
    translation: bool
    segmentation: bool

    @staticmethod
    def by(weights: Mapping[str, float]) -> "Wanted":
        """By the normalised λ of Eq. 4.5."""
        return Wanted(
            generation=any(weights[f"gen.{term}"] for term in ("adv", "rec", "lat")),
            translation=any(weights[f"mod.{term}"] for term in ("adv", "cyc")),
            segmentation=weights["seg"] > 0,
        )


@dataclass(frozen=True)
class Generated:
    """Eqs. 4.1 and 4.2 in one modality."""

    p: FromPresence
    a: FromAbsence | None
    codes: LatentCodes


@dataclass(frozen=True)
class Cycle:
    """Images of one modality, diseased ones first: S, S^T and S^TS, or T, T^S and T^ST."""

    diseased: int
    x: Tensor
    there: Tensor
    back: Tensor


@dataclass(frozen=True)
class Pass:
    """A batch and what came of it, by modality; ŷ of annotated images, and of their translations if there are any."""

    batch: Batch
    generated: Mapping[Domain, Generated]
    cycles: Mapping[Domain, Cycle]
    y_hats: Mapping[Domain, tuple[Tensor, ...]]


def forward(net: MGenSegNet, batch: Batch, recipe: SegmentationRecipe, wanted: Wanted) -> Pass:
    """All that some loss looks at."""
    generated: dict[Domain, Generated] = {}
    cycles: dict[Domain, Cycle] = {}
    y_hats: dict[Domain, tuple[Tensor, ...]] = {}
    both = wanted.generation and recipe.translate == "both"
    healthy_too = wanted.translation and recipe.translate_modality == "all"
    for domain, side in batch.sides.items():
        everything = torch.cat([side.p.x, side.a.x])
        latent = net.of(domain).encoder(everything if both or (healthy_too and net.shared) else side.p.x)
        if wanted.generation:  # diseased images made healthy and, if both, healthy ones diseased; codes found again
            genseg, x_p, a = net.of(domain), side.p.x, None
            codes = latent if both else latent[: len(x_p)]
            if both:
                p, a = from_both(genseg, x_p, x_a=side.a.x, codes=codes, u=side.u)
            else:
                p = from_presence(genseg, x_p, codes)
            generated[domain] = Generated(p, a, codes_found_again(genseg, codes, p, a))
        annotated = len(side.p.y) if wanted.segmentation else 0
        segmented = [net.of(domain).segment(latent[:annotated])] if annotated else []
        if wanted.translation:
            x, other = everything if healthy_too else side.p.x, OTHER[domain]
            there = net.translate(
                latent[: len(x)] if net.shared else net.encode_for_translation(x, domain), domain
            ).float()
            translated = net.encode_for_translation(there, other)
            cycles[domain] = Cycle(len(side.p.x), x, there, net.translate(translated, other).float())
            if annotated:
                seen = translated[:annotated] if net.shared else net.of(other).encoder(there[:annotated])
                segmented.append(net.of(other).segment(seen))
        y_hats[domain] = tuple(y_hat.float() for y_hat in segmented)
    return Pass(batch, generated, cycles, y_hats)
