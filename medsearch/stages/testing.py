"""Test cases: predicted half by half, placed back in their volumes, scored, and written where there is no mask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medsearch.data.geometry import Geometry, halves, place_halves
from medsearch.data.views import Domain
from medsearch.data.volumes import write_volume
from medsearch.metrics.scoring import Scores, TestCase
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe

THRESHOLD = 0.5
SHOWN = 4
"""Cases of which a test stage draws pictures."""


@dataclass
class Tested:
    """The scores of all cases, and some of those with a tumour, to be shown."""

    scores: Scores
    shown: list[TestCase] = field(default_factory=list)

    def add(self, case: TestCase, context: StageContext) -> None:
        """Score a case; write its prediction if there is nothing to score by."""
        self.scores.add(case)
        if case.truth is None:
            write_prediction(case, context)
        if len(self.shown) < SHOWN and (case.truth is None or case.truth.any()):
            self.shown.append(case)


def tested(predict: "Predict", context: StageContext, evaluation: EvaluationRecipe) -> Tested:
    """Score a network that sees slices of whole hemispheres on every test case."""
    slices = evaluation.slices if evaluation.scored == "slices" else None
    of = Tested(Scores.of(context.task, hemispheres=True, slices=slices))
    for case in predicted_cases(predict, context, domain=evaluation.domain, geometry=of.scores.geometry):
        of.add(case, context)
    return of


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
