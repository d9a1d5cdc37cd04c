"""Synthetic target data: every source slice through E_S and G_T, stacked back into volumes (section 5.5.1)."""

import numpy as np
import torch

from medsearch.core.records import write_json
from medsearch.data.geometry import padded_slices, unpad_slices
from medsearch.data.patches import Volume
from medsearch.data.views import SplitName
from medsearch.methods.modatts.data import PSEUDO_TARGET, SUBJECTS
from medsearch.methods.modatts.recipe import SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.translator import Translator
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import autocast, prepare_torch

WEIGHTS = {"last": "weights.safetensors", "best": "best.safetensors"}
SLICES = 16
"""Slices per forward pass."""
SPLITS: tuple[SplitName, ...] = ("train", "validation")


def load_translator(recipe: TranslationRecipe, translation: Artifact, weights: str, device: str) -> Translator:
    """A trained translator in eval mode."""
    translator = Translator(recipe)
    load_modules(translation.file(weights), {"translator": translator})
    return translator.to(device).eval()


@torch.no_grad()
def translate_volume(translator: Translator, volume: Volume, context: StageContext) -> Volume:
    """A source volume (Z, Y, X) as the target contrast; the background stays 0, as does all outside the depth range."""
    geometry, runtime = context.task.geometry, context.runtime
    slices = torch.from_numpy(padded_slices(volume, geometry).astype(np.float32)).unsqueeze(1)
    at_once = runtime.at_once(SLICES)
    with autocast(runtime):
        translated = [translator.translate(part.to(runtime.device)).cpu() for part in torch.split(slices, at_once)]
    whole = unpad_slices(torch.cat(translated)[:, 0].numpy(), context.task.shape, geometry)
    return np.where(volume == 0, 0, whole)


def synthesise(recipe: SynthesisRecipe, translation: TranslationRecipe, context: StageContext) -> Training:
    """Write the pseudo-target volumes of training and validation sources, float16, memory-mapped by those who read."""
    prepare_torch(context.runtime)
    weights = WEIGHTS[recipe.checkpoint]
    translator = load_translator(translation, context.upstream["translation"], weights, context.runtime.device)
    places = [(split, subject) for split in SPLITS for subject in context.task.subjects("source", split)]
    volumes = np.lib.format.open_memmap(
        context.directory / PSEUDO_TARGET, mode="w+", dtype=np.float16, shape=(len(places), *context.task.shape)
    )
    for index, (split, subject) in enumerate(places):
        volumes[index] = translate_volume(translator, context.task.mapped_image("source", split, subject), context)
    volumes.flush()
    write_json(context.directory / SUBJECTS, [subject for _, subject in places])
    yield Epoch(1, {})
    return Outcome(notes={"volumes": len(places)})
