"""Synthetic target data (section 5.5.1): every source slice through E_S and G_T, stacked into volumes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.cohorts.patches import SubjectVolumes, Volume
from medsearch.cohorts.views import SplitName, TaskView
from medsearch.core.records import read_json, write_json
from medsearch.imaging.geometry import padded_slices, unpad_slices
from medsearch.methods.modatts.recipe import SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.translator import Translator
from medsearch.stages.context import STATES, Artifact, StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.precision import autocast

PSEUDO_TARGET = "pseudo_target.npy"
SUBJECTS = "subjects.json"
SLICES = 16
"""Slices per forward pass."""
SPLITS: tuple[SplitName, ...] = ("train", "validation")


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
    file = STATES[recipe.checkpoint]
    translator = context.trained("translation", Translator(translation), "translator", file=file)
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


def pseudo_target(task: TaskView, split: SplitName, synthesis: Artifact) -> SubjectVolumes:
    """Translated source volumes of one split with the source's masks (Y_pT = Y_S)."""
    volumes, places = synthesised(synthesis)
    return SubjectVolumes(
        subjects=task.subjects("source", split),
        image=lambda subject: volumes[places[subject]],
        mask=partial(task.mapped_mask, "source", split),
        presence=partial(task.presence, "source", split),
        tumour_areas=partial(task.tumour_areas, "source", split),
        box=task.box,
        geometry=task.geometry,
    )


def synthesised(synthesis: Artifact) -> tuple[NDArray[np.floating[Any]], Mapping[str, int]]:
    """The memory-mapped pseudo-target volumes (n, Z, Y, X) and each subject's place."""
    subjects = read_json(synthesis.file(SUBJECTS))
    return np.load(synthesis.file(PSEUDO_TARGET), mmap_mode="r"), {name: i for i, name in enumerate(subjects)}
