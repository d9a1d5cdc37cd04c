"""Where MoDATTS takes its units from: the task's own volumes, or pseudo-target volumes from an artifact."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np

from medsearch.data.units import Source, Volume
from medsearch.data.views import Domain, SplitName, TaskView
from medsearch.stages.context import Artifact
from medsearch.core.records import read_json

PSEUDO_TARGET = "pseudo_target.npy"
SUBJECTS = "subjects.json"


def domain_source(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> Source:
    """Volumes of one domain and split; with `masks=False` none is asked for."""
    return Source(
        subjects=task.subjects(domain, split),
        image=_cached(partial(task.image, domain, split)),
        mask=_cached(partial(task.mask, domain, split)) if masks else lambda _: None,
        box=task.box,
        geometry=task.geometry,
    )


def pseudo_target(task: TaskView, split: SplitName, synthesis: Artifact) -> Source:
    """Translated source volumes of one split with the source's masks (Y_pT = Y_S)."""
    volumes, places = synthesised(synthesis)
    return Source(
        subjects=task.subjects("source", split),
        image=lambda subject: volumes[places[subject]],
        mask=_cached(partial(task.mask, "source", split)),
        box=task.box,
        geometry=task.geometry,
    )


def synthesised(synthesis: Artifact) -> tuple[np.ndarray, Mapping[str, int]]:
    """The memory-mapped pseudo-target volumes (n, Z, Y, X) and each subject's place."""
    subjects = read_json(synthesis.file(SUBJECTS))
    return np.load(synthesis.file(PSEUDO_TARGET), mmap_mode="r"), {name: i for i, name in enumerate(subjects)}


def _cached(read: Callable[[str], Volume]) -> Callable[[str], Volume]:
    return lru_cache(maxsize=64)(read)
