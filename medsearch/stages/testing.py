"""Test cases: predicted half by half, placed back in their volumes, scored, and written where there is no mask."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.patches import SliceRule
from medsearch.cohorts.views import Domain
from medsearch.imaging.geometry import Geometry, halves, place_halves
from medsearch.imaging.volumes import write_volume
from medsearch.metrics.scoring import Scores, TestCase
from medsearch.pictures.predictions import add_predictions, alike
from medsearch.pictures.tiles import Gallery
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training

THRESHOLD = 0.5
SHOWN = 4
"""Cases, each with a tumour, of which a test stage draws pictures."""

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Both halves of a subject (2, z, y, x) to probabilities of tumour of the same shape."""


@dataclass(frozen=True)
class Predictor:
    """What was trained, in eval mode. show: adds pictures of its own to those of predictions, if it has any."""

    predict: Predict
    show: Callable[[Gallery, Sequence[TestCase], Scores], None] | None = None


def scored(
    predictor: Predictor,
    context: StageContext,
    *,
    domain: Domain = "target",
    hemispheres: bool = False,
    slices: SliceRule | None = None,
) -> Training:
    """Score every test case of a domain, write what has no mask to score by, and show some.

    hemispheres: halves are whole, whatever the task's crops are. slices: which of them are scored, where slices are.
    """
    scores = Scores.of(context.task, hemispheres=hemispheres, slices=slices)
    shown: list[TestCase] = []
    for case in predicted_cases(predictor.predict, context, domain=domain, geometry=scores.geometry):
        scores.add(case)
        if case.truth is None:
            write_prediction(case, context)
        if len(shown) < SHOWN and (case.truth is None or case.truth.any()):
            shown.append(case)
    gallery, cases = Gallery(context.directory), alike(shown)
    add_predictions(gallery, cases, scores.rows)
    if predictor.show is not None:
        predictor.show(gallery, cases, scores)
    gallery.close()
    yield Epoch(1, {})
    return Outcome(scores.metrics, scores.notes)


def predicted_cases(
    predict: Predict, context: StageContext, *, domain: Domain = "target", geometry: Geometry | None = None
) -> Iterator[TestCase]:
    """Every test subject of a domain with its prediction; halves are cut by `geometry`, the task's unless given."""
    task, cut = context.task, geometry or context.task.geometry
    for subject in task.subjects(domain, "test"):
        image, mask = task.image(domain, "test", subject), task.mask(domain, "test", subject)
        box = task.box(subject)
        segmented = (predict(halves(image, cut, box)) > THRESHOLD).astype(np.uint8)
        yield TestCase(
            subject=subject,
            image=image,
            truth=mask,
            prediction=place_halves(segmented, task.shape, cut, box),
            diseased=None if mask is None else task.presence(domain, "test", subject),
            box=box,
            patient=task.prepared.roster.patients.get(subject),
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
        write_volume(folder / "native" / f"{case.subject}.nii.gz", *prepared.to_native(case.subject, case.prediction))
