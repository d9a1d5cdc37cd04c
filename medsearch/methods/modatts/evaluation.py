"""The test stage: predictions of one segmentor, or of several that vote; their scores by case, and what a report shows.

Several segmentors vote by the mean of their probabilities. Predictions of cases that have no mask are written as NIfTI.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.methods.modatts.pictures import Pictures
from medsearch.methods.modatts.recipe import SegmentationRecipe, SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.methods.modatts.synthesis import WEIGHTS, load_translator
from medsearch.metrics.scoring import Scores
from medsearch.pictures.predictions import alike
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.testing import Predict, Tested, predicted_cases
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import prepare_torch


def evaluate(
    recipe: SegmentationRecipe,
    context: StageContext,
    *,
    translation: TranslationRecipe | None,
    synthesis: SynthesisRecipe,
) -> Training:
    """Score every test case; show some, with translations and attention if there is a translator upstream."""
    prepare_torch(context.runtime)
    segmentors = load_segmentors(recipe, context)
    of = Tested(Scores.of(context.task))
    for case in predicted_cases(voting(segmentors, context), context):
        of.add(case, context)
    translator = None
    if translation is not None:
        artifact, weights = context.upstream["translation"], WEIGHTS[synthesis.checkpoint]
        translator = load_translator(translation, artifact, weights, context.runtime.device)
    Pictures(context, segmentors[0], translator).draw(alike(of.shown), of.scores.rows)
    yield Epoch(1, {})
    return Outcome(of.scores.metrics, of.scores.notes)


def load_segmentors(recipe: SegmentationRecipe, context: StageContext) -> list[Segmentor]:
    """Those upstream, in the order of their folds, in eval mode."""
    loaded = []
    roles = [role for role in context.upstream if role.startswith("segmentor")]
    for role in sorted(roles, key=lambda role: (len(role), role)):  # 2 before 10
        segmentor = Segmentor(recipe)
        load_modules(context.upstream[role].file("weights.safetensors"), {"segmentor": segmentor})
        loaded.append(segmentor.to(context.runtime.device).eval())
    return loaded


def voting(segmentors: Sequence[Segmentor], context: StageContext) -> Predict:
    """The mean of their probabilities."""

    @torch.no_grad()
    def predicted(crops: NDArray[np.float32]) -> NDArray[np.float32]:
        x = torch.from_numpy(crops).unsqueeze(1).to(context.runtime.device)
        votes = torch.stack([predict(segmentor, x, context.runtime)[:, 0] for segmentor in segmentors])
        mean: NDArray[np.float32] = votes.mean(0).cpu().numpy()
        return mean

    return predicted
