"""What the tests of this floor share: a written cohort, and how the shape of a tumour is measured."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsearch.cohorts.cohort import Case, Cohort
from medsearch.phantoms import CrossModa2022Spec

SPEC = CrossModa2022Spec(cases=10, seed=1)


@dataclass(frozen=True)
class WrittenCohort:
    """A cohort's folder, and what the layout found in it."""

    root: Path
    found: Cohort

    def case(self, number: int) -> Case:
        """Subject `number` of the specification."""
        return next(case for case in self.found.cases if case.subject == SPEC.name(number))


@dataclass(frozen=True)
class Shape:
    """A body's volume, ml; the half axes of the ellipsoid with its moments, mm, longest first; the first's direction.

    `fullness`: the volume over that ellipsoid's, 1 for an ellipsoid itself.
    """

    volume: float
    half_axes: tuple[float, float, float]
    direction: np.ndarray
    fullness: float

    @classmethod
    def of(cls, points: np.ndarray, volume: float) -> "Shape":
        """points (n, 3): evenly spread over the body, mm."""
        spread, directions = np.linalg.eigh(np.cov(points.T))
        a, b, c = np.sqrt(5 * spread[::-1])
        return cls(volume, (a, b, c), directions[:, 2], 1000 * volume / (4 / 3 * np.pi * a * b * c))
