"""What translators make of slices that they were not trained on: inference, scores on pairs, pictures."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.data.synthesis.views import Abdomen, SynthesisView
from medsearch.methods.ssbr_cyclegan.masking import masked
from medsearch.methods.ssbr_cyclegan.pictures import Pictures
from medsearch.methods.ssbr_cyclegan.recipe import InferenceRecipe, TranslationRecipe
from medsearch.networks.cyclegan import Translator, Translators
from medsearch.stages.context import StageContext
from medsearch.stages.pairs import PairScores, made_pairs
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.timing import training_hours
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import autocast, prepare_torch
from medsearch.training.runtime import Runtime

SLICES = 16
"""Translated at once."""


@torch.no_grad()
def synthesise(
    of: Abdomen, *, translator: Translator, recipe: InferenceRecipe, runtime: Runtime
) -> NDArray[np.float32]:
    """A case's slices in the other contrast, (Z, Y, X) in [-1, 1], by a translator in eval mode.

    With a binary mask, background is put where the given slice has no body (section 2).
    """
    parts = torch.split(torch.from_numpy(of.images()).unsqueeze(1), runtime.at_once(SLICES))
    with autocast(runtime):
        made = torch.cat([translator(part.to(runtime.device)).cpu() for part in parts])
    if recipe.binary_mask:
        made = masked(made, torch.from_numpy(of.bodies()) > 0)
    as_array: NDArray[np.float32] = made.squeeze(1).numpy()
    return as_array


def towards(translators: Translators, view: SynthesisView) -> Translator:
    """The generator of the task's direction."""
    return translators.g_st if view.task.direction == "forward" else translators.g_ts


def evaluate(recipe: InferenceRecipe, translation: TranslationRecipe, context: StageContext[SynthesisView]) -> Training:
    """Score every test pair, and draw some of them and of the unpaired cases.

    The hours of training are those of the whole pipeline, the regressor's in every row that takes it.
    """
    prepare_torch(context.runtime)
    cyclegan = translation.cyclegan
    translators = Translators(cyclegan.generator, input_addition=cyclegan.input_addition)
    load_modules(context.upstream["translation"].file("weights.safetensors"), {"translators": translators})
    translators.to(context.runtime.device).eval()
    translator = towards(translators, context.task)
    make = partial(synthesise, translator=translator, recipe=recipe, runtime=context.runtime)
    scores, pictures = PairScores(), Pictures(context)
    for pair in made_pairs(make, context.task, "test"):
        scores.add(pair)
        pictures.add(pair)
    pictures.draw(make, scores.rows)
    hours = {"test/training_hours": training_hours(context.upstream.values())}
    yield Epoch(1, {})
    return Outcome({**scores.metrics("test"), **hours}, scores.notes)
