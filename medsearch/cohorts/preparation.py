"""From a cohort's files to arrays that every trial of a node maps into memory: made once, found again by content.

A folder's name holds the cohort's fingerprint, the sizes, the rules and the version (`folder_name` of the task);
`data.prepared` tells what lies in it. Every file is read once, but for those of cases that are registered first.
"""

import logging
import math
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.atomic_folder import made_once
from medsearch.cohorts.cohort import Case, Cohort, require_cases
from medsearch.cohorts.grids import grid_of
from medsearch.cohorts.layouts import tumour_layout
from medsearch.cohorts.prepared import CASES, Prepared, PreparedStacks, PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask, SynthesisTask, Task
from medsearch.core.errors import BadInput, printable
from medsearch.core.machine import concurrently, cores
from medsearch.core.records import write_json
from medsearch.imaging.abdomen import Region, abdominal_region, body_mask
from medsearch.imaging.geometry import Triple, bounding_box, presence
from medsearch.imaging.image_files import Volume
from medsearch.imaging.resampling import MAJORITY, Image, area_weights, averaged, finite
from medsearch.imaging.volumes import read_volume

LOG = logging.getLogger(__name__)

SPREAD = 5.0  # standard deviations that fit into [-1, 1] (thesis section 5.5.1)
STORED = (-32768, 32767)
"""HU beyond which no scanner measures, and int16 ends."""
AIR = -1024
"""HU of air, which is laid beside an image that is not square. What is stored below is padding, or noise in air, which
windows cut off anyway."""


def prepare(cohort: Cohort, fingerprint: str, *, task: Task, folder: Path) -> Prepared:
    """Make the arrays unless they are there. Processes that ask at once wait for the first; a kill leaves no half.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    directory = folder / task.folder_name(fingerprint)

    def write(aside: Path) -> None:
        require_cases(cohort)
        if isinstance(task, SynthesisTask):
            _write_stacks(cohort, task, aside)
        else:
            _write_volumes(cohort, task, aside, memory=folder / f"laid-{fingerprint}.jsonl")

    made_once(directory, CASES, write)
    return task.arrays(directory)


def _write_volumes(cohort: Cohort, task: CrossModalityTask, aside: Path, *, memory: Path) -> None:
    spacing = task.geometry.spacing
    grid = grid_of(cohort, tumour_layout(cohort.layout), task.geometry, memory=memory)
    arrays = _new_arrays(cohort, grid.shape, aside)

    def one(numbered: tuple[int, Case]) -> dict[str, Any]:
        index, case = numbered
        images, mask, about = grid.read(case)
        statistics = _statistics(case, images, joint=task.normalisation == "joint")
        for contrast, image in images.items():
            arrays[contrast][index] = _normalised(image, *statistics[contrast])
        arrays[PreparedVolumes.MASK][index] = mask
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
            **about,
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

    images = {contrast: new(PreparedVolumes.image_file(contrast), np.float16) for contrast in cohort.contrasts}
    return {**images, PreparedVolumes.MASK: new(PreparedVolumes.MASK, np.uint8)}


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


def _write_stacks(cohort: Cohort, task: SynthesisTask, aside: Path) -> None:
    def one(numbered: tuple[int, Case]) -> dict[str, Any]:
        number, case = numbered
        stacks = {}
        for contrast, path in case.images.items():
            images, masks = PreparedStacks.image_file(contrast, number), PreparedStacks.body_file(contrast, number)
            stacks[contrast] = _written(read_volume(path), task, images=aside / images, masks=aside / masks)
        return {"subject": case.subject, "part": case.part, "stacks": stacks}

    cases = list(concurrently(one, enumerate(cohort.cases)))
    write_json(aside / CASES, {"contrasts": cohort.contrasts, "slice_size": task.geometry.slice_size, "cases": cases})


def _written(volume: Volume, task: SynthesisTask, *, images: Path, masks: Path) -> dict[str, Any]:
    """Body and abdomen are found before slices are resized: little gas is left in large pixels."""
    hu, (deep, *edges) = axial(volume)
    body = body_mask(hu, (deep, edges[0], edges[1]), task.body)
    region = abdominal_region(hu, body, deep, task.region)
    _say_what_is_missing(volume.path, region)
    size = task.geometry.slice_size
    small = np.clip(np.rint(resized(hu, size)), *STORED).astype(np.int16)
    for path, array in ((images, small), (masks, (resized(body, size) >= MAJORITY).astype(np.uint8))):
        try:
            np.save(path, array)
        except OSError as error:
            msg = f"{path.parent}: a prepared stack cannot be written ({error.strerror}); make room"
            raise BadInput(msg) from error
    spacing = (deep, *(edge * hu.shape[1] / size for edge in edges))
    return {"slices": len(hu), "spacing": spacing, "region": [region.first, region.last], "found": region.found}


def _say_what_is_missing(path: Path, region: Region) -> None:
    """A landmark that was not found leaves more of the image in the abdomen than belongs there."""
    named = printable(str(path))
    if not region.lungs:
        LOG.warning("%s: no slice shows lungs, so its abdomen begins with the first one", named)
    if not region.bowel:
        LOG.warning("%s: no slice below the lungs shows gas in the bowel, so its abdomen ends with the last one", named)


def axial(volume: Volume) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Axial slices (Z, Y, X), HU, superior first, as wide as high; and their spacing (z, y, x), mm.

    An image that is not square gets air beside it.

    Raises:
        BadInput: values that are not finite.

    """
    values, spacing = finite(volume)
    side = max(values.shape[1:])
    beside = [(0, 0), *((gap // 2, gap - gap // 2) for gap in (side - edge for edge in values.shape[1:]))]
    return np.pad(values[::-1], beside, constant_values=AIR), spacing


def resized(values: NDArray[np.float32] | NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """Square slices (Z, size, size), each pixel the mean over its area.

    Of HU, whatever is below air is padding (-2000, -3024 and -33792 are common) and counts as air: averaged as it is,
    it would darken the body that it touches.
    """
    weights = area_weights(values.shape[1], values.shape[1] / size, same=0.0)
    return averaged(np.maximum(values, AIR, dtype=np.float32), [None, weights, weights])
