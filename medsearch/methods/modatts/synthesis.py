"""Synthetic target data: every source slice through E_S and G_T, stacked back into volumes (section 5.5.1)."""

import numpy as np
import torch

from medsearch.core.records import write_json
from medsearch.data.geometry import padded_slices, unpad_slices
from medsearch.data.views import SplitName
from medsearch.methods.modatts.data import PSEUDO_TARGET, SUBJECTS
from medsearch.methods.modatts.recipe import SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.translation import Translator
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import autocast, prepare_torch
from medsearch.training.runtime import Runtime

WEIGHTS = {"last": "weights.safetensors", "best": "best.safetensors"}
SPLITS: tuple[SplitName, ...] = ("train", "validation")


def load_translator(recipe: TranslationRecipe, translation: Artifact, weights: str, device: str) -> Translator:
    """A trained translator in eval mode."""
    translator = Translator(recipe)
    load_modules(translation.file(weights), {"translator": translator})
    return translator.to(device).eval()


@torch.no_grad()
def translate_volume(
    translator: Translator, volume: np.ndarray, context: StageContext, batch: int = 16
) -> np.ndarray:
    """A source volume (Z, Y, X) as the target contrast; the background stays 0, as does all outside the depth range."""
    geometry, runtime = context.task.geometry, context.runtime
    slices = torch.from_numpy(padded_slices(np.asarray(volume, dtype=np.float32), geometry)).unsqueeze(1)
    translated = [_translate(translator, piece, runtime) for piece in slices.split(batch)]
    whole = unpad_slices(torch.cat(translated)[:, 0].numpy(), volume.shape, geometry)
    return np.where(volume == 0, 0, whole)


def _translate(translator: Translator, slices: torch.Tensor, runtime: Runtime) -> torch.Tensor:
    with autocast(runtime):
        return translator.translate(slices.to(runtime.device)).float().cpu()


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
        volumes[index] = translate_volume(translator, context.task.image("source", split, subject), context)
    volumes.flush()
    write_json(context.directory / SUBJECTS, [subject for _, subject in places])
    yield Epoch(1, {})
    return Outcome(notes={"volumes": len(places)})
