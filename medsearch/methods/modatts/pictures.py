"""Trained segmentors before test cases, and what a reader wants to see of them.

That is: predictions over masks, tumours removed, translations, attention. Several segmentors, one of each fold, vote
by the mean of their probabilities.

Axial slices as a radiologist sees them: front up, the patient's right on the left (arrays are in LPS order).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.imaging.geometry import Box
from medsearch.methods.modatts.attention import decoder_tiles, encoder_tiles
from medsearch.methods.modatts.recipe import SegmentationRecipe, SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.methods.modatts.synthesis import translate_volume
from medsearch.methods.modatts.translator import Translator
from medsearch.metrics.scoring import Scores, TestCase
from medsearch.pictures.panels import Mask, Plane
from medsearch.pictures.predictions import residual_tiles
from medsearch.pictures.sections import Half, fullest, grey, half, limits, window
from medsearch.pictures.tiles import Gallery, Tile
from medsearch.stages.context import STATES, StageContext
from medsearch.stages.testing import SHOWN, Predictor
from medsearch.training.generative import from_presence

ATTENDED = 2
"""Cases whose attention is shown."""


def predictor(
    recipe: SegmentationRecipe,
    context: StageContext,
    *,
    translation: TranslationRecipe | None,
    synthesis: SynthesisRecipe,
) -> Predictor:
    """The segmentors upstream; translations and attention are shown too if there is a translator upstream."""
    segmentors, translator = load_segmentors(recipe, context), None
    if translation is not None:
        file = STATES[synthesis.checkpoint]
        translator = context.trained("translation", Translator(translation), "translator", file=file)
    predict_by_vote = partial(voted, segmentors=segmentors, context=context)
    return Predictor(predict_by_vote, Pictures(context, segmentors[0], translator).draw)


def load_segmentors(recipe: SegmentationRecipe, context: StageContext) -> list[Segmentor]:
    """Those upstream, in the order of their folds, in eval mode."""
    roles = [role for role in context.upstream if role.startswith("segmentor")]
    by_fold = sorted(roles, key=lambda role: (len(role), role))  # 2 before 10
    return [context.trained(role, Segmentor(recipe), "segmentor") for role in by_fold]


@torch.no_grad()
def voted(crops: NDArray[np.float32], *, segmentors: Sequence[Segmentor], context: StageContext) -> NDArray[np.float32]:
    """Probabilities of tumour in crops (n, z, y, x): the mean of what the segmentors say."""
    x = torch.from_numpy(crops).unsqueeze(1).to(context.runtime.device)
    votes = torch.stack([predict(segmentor, x, context.runtime)[:, 0] for segmentor in segmentors])
    mean: NDArray[np.float32] = votes.mean(0).cpu().numpy()
    return mean


@dataclass(frozen=True)
class Translatable:
    """A source volume to translate, its tumour, and the same subject's target volume where both were taken."""

    subject: str
    source: NDArray[np.float32]
    truth: Mask
    target: NDArray[np.float32] | None
    box: Box


class Pictures:
    """Tiles and montages of a few cases, every one with a tumour: one column per case, one line per kind of image."""

    def __init__(self, context: StageContext, segmentor: Segmentor, translator: Translator | None) -> None:
        self.context, self.segmentor, self.translator = context, segmentor, translator

    def draw(self, gallery: Gallery, cases: Sequence[TestCase], scores: Scores) -> None:
        """Everything that these models have to show beside predictions."""
        if self.segmentor.generative:
            tiles = residual_tiles(cases, scores.geometry, self._made_healthy)
            gallery.add("residuals", list(tiles))
        sources = list(self._translatable(cases)) if self.translator is not None else []
        gallery.add("translations", list(self._translations(sources)))
        for part, seen in self._attention(cases[:ATTENDED], sources[:ATTENDED]).items():
            gallery.add("attention", list(seen), name=f"attention_{part}")

    def _translatable(self, cases: Sequence[TestCase]) -> Iterator[Translatable]:
        """The test cases' own source images, or else annotated sources that the translator did not train on."""
        task = self.context.task
        paired = set(task.subjects("source", "test"))
        for case in cases:
            if case.subject in paired and case.truth is not None:
                source = task.image("source", "test", case.subject)
                yield Translatable(case.subject, source, case.truth, case.image, case.box)
        shown = () if paired else task.subjects("source", "validation")
        masks = ((subject, task.mask("source", "validation", subject)) for subject in shown)
        for subject, truth in [(subject, mask) for subject, mask in masks if mask is not None and mask.any()][:SHOWN]:
            source = task.image("source", "validation", subject)
            yield Translatable(subject, source, truth, None, task.box(subject))

    def _translations(self, sources: Sequence[Translatable]) -> Iterator[Tile]:
        """A subject's source slice, its translation, the real target slice if there is one, and the true tumour."""
        for of in sources:
            z, at = fullest(of.truth), window([one.box for one in sources])
            assert self.translator is not None
            translated = translate_volume(self.translator, of.source, self.context)
            volumes = {"source": of.source, "translated": translated}
            if of.target is not None:
                volumes["target"] = of.target
            target = limits(translated if of.target is None else of.target)
            for what, volume in volumes.items():
                panel = grey(volume[z][at], limits(volume) if what == "source" else target)
                yield Tile(subject=of.subject, what=what, panel=panel)
            last = translated if of.target is None else of.target
            yield Tile(subject=of.subject, what="truth", panel=grey(last[z][at], target, of.truth[z][at]))

    def _attention(self, cases: Sequence[TestCase], sources: Sequence[Translatable]) -> dict[str, Iterator[Tile]]:
        """The most confident heads of the translation encoder and of the decoders (Fig. 5.9)."""
        crops = {case.subject: half(case, self.context.task.geometry) for case in cases}
        tiles = {"segmentation": decoder_tiles(self.segmentor, crops, self.context)}
        if self.translator is not None and sources:
            places = {of.subject: (of.source, fullest(of.truth)) for of in sources}
            at = window([of.box for of in sources])
            tiles["translation"] = encoder_tiles(self.translator, places, self.context, at)
        return tiles

    @torch.no_grad()
    def _made_healthy(self, crop: Half) -> tuple[Plane, ...]:
        """The shown slice of X_P, X_PA and Δ_PP (Eqs. 5.6-5.8)."""
        flat = self.segmentor.dimensions == 2
        x_p = torch.from_numpy(crop.image[crop.z] if flat else crop.image)[None, None].to(self.context.runtime.device)
        made = from_presence(self.segmentor, x_p, self.segmentor.encoder(x_p))
        images = (x[0, 0].cpu().numpy() for x in (made.x_p, made.x_pa, made.delta_pp))
        return tuple(image if flat else image[crop.z] for image in images)
