"""Where MoDATTS takes its units from: the task's own volumes, or pseudo-target volumes from an artifact."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.records import read_json
from medsearch.data.units import Mask, Source
from medsearch.data.views import Domain, SplitName, TaskView
from medsearch.stages.context import Artifact

PSEUDO_TARGET = "pseudo_target.npy"
SUBJECTS = "subjects.json"


def domain_source(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> Source:
    """Volumes of one domain and split; with `masks=False` none is asked for."""
    return Source(
        subjects=task.subjects(domain, split),
        image=partial(task.mapped_image, domain, split),
        mask=partial(task.mapped_mask, domain, split) if masks else _unknown,
        presence=partial(task.presence, domain, split),
        slice_presence=partial(task.slice_presence, domain, split),
        box=task.box,
        geometry=task.geometry,
    )


def pseudo_target(task: TaskView, split: SplitName, synthesis: Artifact) -> Source:
    """Translated source volumes of one split with the source's masks (Y_pT = Y_S)."""
    volumes, places = synthesised(synthesis)
    return Source(
        subjects=task.subjects("source", split),
        image=lambda subject: volumes[places[subject]],
        mask=partial(task.mapped_mask, "source", split),
        presence=partial(task.presence, "source", split),
        slice_presence=partial(task.slice_presence, "source", split),
        box=task.box,
        geometry=task.geometry,
    )


def synthesised(synthesis: Artifact) -> tuple[NDArray[np.floating[Any]], Mapping[str, int]]:
    """The memory-mapped pseudo-target volumes (n, Z, Y, X) and each subject's place."""
    subjects = read_json(synthesis.file(SUBJECTS))
    return np.load(synthesis.file(PSEUDO_TARGET), mmap_mode="r"), {name: i for i, name in enumerate(subjects)}


def _unknown(subject: str) -> Mask | None:  # noqa: ARG001
    return None
