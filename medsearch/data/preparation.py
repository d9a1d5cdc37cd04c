"""From a cohort's files to arrays that every trial of a node maps into memory: made once, found again by content.

The folder's name holds the cohort's fingerprint, the voxel size, the normalisation and the version; `data.prepared`
tells what lies in it.
"""

import math
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.core.records import write_json
from medsearch.data.cohorts import Case, Cohort, require_cases
from medsearch.data.geometry import Spacing, Triple, bounding_box, presence
from medsearch.data.grids import grid_of
from medsearch.data.layouts import tumour_layout
from medsearch.data.once import made_once
from medsearch.data.prepared import CASES, MASK, VERSION, PreparedCohort, image_file
from medsearch.data.resampling import Image
from medsearch.data.tasks import CrossModalityTask

__all__ = ["PreparedCohort", "prepare", "prepared_directory"]

SPREAD = 5.0  # standard deviations that fit into [-1, 1] (thesis section 5.5.1)


def prepared_directory(folder: Path, fingerprint: str, task: CrossModalityTask) -> Path:
    """Where the arrays of a cohort for a task lie: by content, voxels, normalisation, and their number if cut out."""
    size = ""
    if tumour_layout(task.layout).atlas is not None:
        size = f"{task.geometry.depth[1]}x{task.geometry.slice_size}x{task.geometry.slice_size}-"
    return folder / f"prepared-{fingerprint}-{_edges(task.geometry.spacing)}mm-{size}{task.normalisation}-v{VERSION}"


def _edges(spacing: Spacing) -> str:
    """One number for cubes, z x y x x otherwise."""
    return "x".join(f"{edge:g}" for edge in (spacing[:1] if len(set(spacing)) == 1 else spacing))


def prepare(cohort: Cohort, fingerprint: str, *, task: CrossModalityTask, folder: Path) -> PreparedCohort:
    """Make the arrays unless they are there. Processes that ask at once wait for the first; a kill leaves no half.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    directory = prepared_directory(folder, fingerprint, task)
    memory = folder / f"laid-{fingerprint}.jsonl"
    made_once(directory, CASES, lambda aside: _write(cohort, task, aside, memory=memory))
    return PreparedCohort(directory)


def _write(cohort: Cohort, task: CrossModalityTask, aside: Path, *, memory: Path) -> None:
    require_cases(cohort)
    spacing = task.geometry.spacing
    grid = grid_of(cohort, tumour_layout(cohort.layout), task.geometry, memory=memory)
    arrays = _new_arrays(cohort, grid.shape, aside)

    def one(numbered: tuple[int, Case]) -> dict[str, Any]:
        index, case = numbered
        images, mask = grid.read(case)
        statistics = _statistics(case, images, joint=task.normalisation == "joint")
        for contrast, image in images.items():
            arrays[contrast][index] = _normalised(image, *statistics[contrast])
        arrays[MASK][index] = mask
        brain = np.logical_or.reduce([image.brain for image in images.values()])
        return {
            "subject": case.subject,
            "box": bounding_box(brain),
            "presence": presence(mask),
            "annotated": case.mask is not None,
            "part": case.part,
            "weak_label": case.presence,
            "patient": case.patient,
            "statistics": statistics,
            **grid.described(case),
        }

    # Threads suffice: gunzip and NumPy let go of the interpreter, and nothing is copied between processes.
    with ThreadPoolExecutor(cores()) as pool:
        cases = list(pool.map(one, enumerate(cohort.cases)))
    for array in arrays.values():
        array.flush()
    record = {"contrasts": cohort.contrasts, "shape": grid.shape, "spacing": spacing, "cases": cases, **grid.record}
    write_json(aside / CASES, {**record, "voxel_volume": math.prod(spacing), "normalisation": task.normalisation})


def _new_arrays(cohort: Cohort, shape: Triple, aside: Path) -> dict[str, np.memmap[Any, Any]]:
    """One empty array per contrast, by its name, and the mask's; a case without a contrast stays 0 there."""
    whole = (len(cohort.cases), *shape)
    _require_space(aside, math.prod(whole) * (2 * len(cohort.contrasts) + 1))

    def new(name: str, dtype: type[np.generic]) -> np.memmap[Any, Any]:
        return np.lib.format.open_memmap(aside / name, mode="w+", dtype=dtype, shape=whole)

    images = {contrast: new(image_file(contrast), np.float16) for contrast in cohort.contrasts}
    return {**images, MASK: new(MASK, np.uint8)}


def _require_space(folder: Path, needed: int) -> None:
    """Refuse early: a mapped file on a full disk kills the process without a word."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = f"{folder.parent}: prepared arrays need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        raise BadInput(msg)


def _statistics(case: Case, images: Mapping[str, Image], *, joint: bool) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over brain voxels, per contrast or over all together (the released code)."""
    brains = {contrast: image.values[image.brain].astype(np.float64) for contrast, image in images.items()}
    if joint:
        together = np.concatenate(list(brains.values()))
        brains = dict.fromkeys(brains, together)
    statistics = {}
    for contrast, values in brains.items():
        if values.size == 0 or not values.std() > 0:
            msg = f"case {case.subject}: {case.images[contrast]} is constant over the brain; export it again or exclude"
            raise BadInput(msg)
        statistics[contrast] = (float(values.mean()), float(values.std()))
    return statistics


def _normalised(image: Image, mean: float, sd: float) -> NDArray[np.float16]:
    scaled = np.clip((image.values - mean) / (SPREAD * sd), -1, 1)
    return np.where(image.brain, scaled, 0).astype(np.float16)
