"""Test cases: predicted half by half, placed back in their volumes, and written where there is nothing to score by."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from medsearch.data.geometry import Geometry, halves, place_halves
from medsearch.data.native import to_native
from medsearch.data.views import Domain
from medsearch.data.volumes import write_volume
from medsearch.metrics.scoring import TestCase
from medsearch.stages.context import StageContext

THRESHOLD = 0.5

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Both halves of a subject (2, z, y, x) to probabilities of tumour of the same shape."""


def predicted_cases(
    predict: Predict, context: StageContext, *, domain: Domain = "target", geometry: Geometry | None = None
) -> Iterator[TestCase]:
    """Every test subject of a domain with its prediction; halves are cut by `geometry`, the task's unless given."""
    task, cut = context.task, geometry or context.task.geometry
    for subject in task.subjects(domain, "test"):
        image, mask = task.image(domain, "test", subject), task.mask(domain, "test", subject)
        box = task.box(subject)
        found = (predict(halves(image, cut, box)) > THRESHOLD).astype(np.uint8)
        yield TestCase(
            subject=subject,
            image=image,
            truth=mask,
            prediction=place_halves(found, task.shape, cut, box),
            diseased=None if mask is None else task.presence(domain, "test", subject),
            box=box,
        )


def write_prediction(case: TestCase, context: StageContext) -> None:
    """`predictions/<subject>.nii.gz` on the prepared grid, and in `predictions/native/` on the file's if they differ.

    A grid without an atlas is LPS, its first voxel at the origin, and goes for the file's own.
    """
    prepared, folder = context.task.prepared, context.directory / "predictions"
    deep, high, wide = context.task.spacing
    affine = np.array(prepared.record.get("affine", np.diag([-wide, -high, deep, 1.0])))
    folder.mkdir(exist_ok=True)
    write_volume(folder / f"{case.subject}.nii.gz", case.prediction.transpose(2, 1, 0), affine)
    if "native" in prepared.case(case.subject):
        (folder / "native").mkdir(exist_ok=True)
        write_volume(folder / "native" / f"{case.subject}.nii.gz", *to_native(prepared, case.subject, case.prediction))
