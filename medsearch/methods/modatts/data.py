"""Pseudo-target volumes from an artifact, as what units are cut from."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.records import read_json
from medsearch.data.patches import VolumeSource
from medsearch.data.views import SplitName, TaskView
from medsearch.stages.context import Artifact

PSEUDO_TARGET = "pseudo_target.npy"
SUBJECTS = "subjects.json"


def pseudo_target(task: TaskView, split: SplitName, synthesis: Artifact) -> VolumeSource:
    """Translated source volumes of one split with the source's masks (Y_pT = Y_S)."""
    volumes, places = synthesised(synthesis)
    return VolumeSource(
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
