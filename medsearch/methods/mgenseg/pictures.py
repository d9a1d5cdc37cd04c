"""A trained M-GenSeg before test cases, and what a reader wants to see of it (Fig. 4.2).

That is: predictions, tumours taken off, and where every decoder looks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsearch.cohorts.views import Domain
from medsearch.methods.mgenseg.networks import MGenSegNet, Wanted
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.metrics.scoring import Scores, TestCase
from medsearch.networks.genseg import Gate
from medsearch.networks.latent import Latent
from medsearch.pictures.panels import Plane
from medsearch.pictures.predictions import residual_tiles
from medsearch.pictures.sections import Half, grey, half, limits, shades
from medsearch.pictures.tiles import Gallery, Tile
from medsearch.stages.context import StageContext
from medsearch.stages.segmentation import EvaluationRecipe
from medsearch.stages.testing import Predictor
from medsearch.training.generative import from_presence
from medsearch.training.inference import slicewise

LEVELS = 2
"""The finest gates, whose attention is shown: coarser ones are a few pixels wide."""


def predictor(recipe: SegmentationRecipe, evaluation: EvaluationRecipe, context: StageContext) -> Predictor:
    """What was trained upstream, before slices of the modality that is scored."""
    net, domain = context.trained("segmentation", MGenSegNet(recipe), "net"), evaluation.domain
    trained = Wanted.by(context.upstream["segmentation"].manifest.notes["weights"])
    pictures = Pictures(net, domain, trained, context.runtime.device)
    return Predictor(slicewise(net.of(domain), context.runtime), pictures.draw)


@dataclass(frozen=True)
class Pictures:
    """Tiles and montages of a few cases, every one with a tumour: one column per case, one line per kind of image.

    Nothing is shown of networks that no loss trained.
    """

    net: MGenSegNet
    domain: Domain
    trained: Wanted
    device: str

    @torch.no_grad()
    def draw(self, gallery: Gallery, cases: Sequence[TestCase], scores: Scores) -> None:
        """Everything that the networks have to show beside predictions."""
        if self.trained.generation:
            gallery.add("residuals", list(residual_tiles(cases, scores.geometry, self._made_healthy)))
        gallery.add("attention", list(self._attention(cases, scores)))

    def _encoded(self, crop: Half) -> tuple[Tensor, Latent]:
        x = torch.from_numpy(crop.image[crop.z])[None, None].to(self.device)
        return x, self.net.of(self.domain).encoder(x)

    def _made_healthy(self, crop: Half) -> tuple[Plane, ...]:
        """X_P, X_PA and Δ_PP of the shown slice (Eq. 4.1)."""
        made = from_presence(self.net.of(self.domain), *self._encoded(crop))
        return tuple(x[0, 0].cpu().numpy() for x in (made.x_p, made.x_pa, made.delta_pp))

    def _attention(self, cases: Sequence[TestCase], scores: Scores) -> Iterator[Tile]:
        """ψ of the finest gates of each decoder, over the slice that it decodes (Fig. 4.2a)."""
        net, domain, genseg = self.net, self.domain, self.net.of(self.domain)
        for case in cases:
            crop, of = half(case, scores.geometry), limits(case.image)
            x, latent = self._encoded(crop)
            image = crop.image[crop.z]
            yield Tile(subject=case.subject, what="image", panel=grey(image, of, crop.truth[crop.z]))
            decoders: dict[str, Callable[[], Tensor]] = {}
            if self.trained.generation:
                decoders |= {"common": partial(genseg.common, latent), "residual": partial(genseg.residual, latent)}
            if self.trained.segmentation:
                decoders["segmentation"] = partial(genseg.segment, latent)
            if self.trained.translation:
                decoders["translation"] = partial(net.translate, net.encode_for_translation(x, domain), domain)
            for name, decode in decoders.items():
                for level, heat in enumerate(attended(net, decode, image.shape), start=1):
                    panel = grey(image, of, heat=shades(heat, image != 0))
                    yield Tile(subject=case.subject, what=f"{name} {level}", panel=panel)


def attended(net: nn.Module, decode: Callable[[], Tensor], size: tuple[int, ...]) -> list[Plane]:
    """ψ of the finest gates that `decode` runs through, finest first, on an image of `size`; none without gates."""
    attention: list[Tensor] = []
    gates = [part for part in net.modules() if isinstance(part, Gate)]
    hooks = [gate.psi.register_forward_hook(lambda _, __, psi: attention.append(psi)) for gate in gates]
    try:
        decode()
    finally:
        for hook in hooks:
            hook.remove()
    finest = attention[: -LEVELS - 1 : -1]
    whole = (F.interpolate(psi.float(), size=size, mode="bilinear", align_corners=False) for psi in finest)
    return [psi[0, 0].cpu().numpy() for psi in whole]
