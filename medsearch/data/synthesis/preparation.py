"""From a cohort's CT to stacks of axial slices that trials map into memory: made once, found again by content.

The folder's name holds the cohort's fingerprint, the size of a slice, the rules by which body and abdomen are found,
and the version; `prepared` tells what lies in it.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput, printable
from medsearch.core.recipes import fingerprint as fingerprint_of
from medsearch.core.records import write_json
from medsearch.data.abdomen import Region, abdominal_region, body_mask
from medsearch.data.cohorts import Case, Cohort, require_cases
from medsearch.data.concurrency import concurrently
from medsearch.data.once import made_once
from medsearch.data.prepared import CASES
from medsearch.data.resampling import MAJORITY, area_weights, averaged, finite
from medsearch.data.synthesis.prepared import VERSION, PreparedStacks, body_file, stack_file
from medsearch.data.synthesis.task import SynthesisTask
from medsearch.data.volumes import Volume, read_volume

LOG = logging.getLogger(__name__)

STORED = (-32768, 32767)
"""HU beyond which no scanner measures, and int16 ends."""
AIR = -1024
"""HU of air, which is laid beside an image that is not square. What is stored below is padding, or noise in air, which
windows cut off anyway."""


def stacks_directory(folder: Path, fingerprint: str, task: SynthesisTask) -> Path:
    """Where the stacks of a cohort for a task lie: by content, size and rules."""
    rules = fingerprint_of([task.body, task.region])[:8]
    return folder / f"stacks-{fingerprint}-{task.geometry.slice_size}-{rules}-v{VERSION}"


def prepare_stacks(cohort: Cohort, fingerprint: str, *, task: SynthesisTask, folder: Path) -> PreparedStacks:
    """Make the stacks unless they are there.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    directory = stacks_directory(folder, fingerprint, task)
    made_once(directory, CASES, lambda aside: _write(cohort, task, aside))
    return PreparedStacks(directory)


def _write(cohort: Cohort, task: SynthesisTask, aside: Path) -> None:
    require_cases(cohort)

    def one(numbered: tuple[int, Case]) -> dict[str, Any]:
        number, case = numbered
        stacks = {}
        for contrast, path in case.images.items():
            images, masks = stack_file(contrast, number), body_file(contrast, number)
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
