"""Which slices of two patients are shown together: by position (PBS) or by the regressor's score; see `registering`.

Every strategy is called with the two patients drawn for an iteration, and gives as many pairs of slices as it is asked
for. Slices are numbered from the first of a patient's abdominal region, superior ones first.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

LOG = logging.getLogger(__name__)
AIR = -1.0
"""In the normalised range of slices."""
JITTER, MARGIN = (-5, 5), 5
"""Yang et al.'s code draws from -5 to 4, the upper end of numpy's range being open; their text says [-5, 5]."""

Numbers = NDArray[np.intp]
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Patient:
    """A patient's region: slices (n, h, w) in [-1, 1], and the distances of voxels along z, y and x, mm.

    slices: an array, or what reads the slices that it is indexed by when it is.
    """

    name: str
    slices: Any
    spacing: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.slices)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The j-th slice of `a` goes with the j-th of `b`; these are numbers in `resampled`, where b was moved onto a."""

    a: Numbers
    b: Numbers
    resampled: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.a)

    def cut(self, a: Patient, b: Patient) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The slices, (j, h, w) of each patient."""
        of_b = b.slices if self.resampled is None else self.resampled
        return a.slices[self.a], of_b[self.b]


Pairing = Callable[..., Pairs]
"""A strategy: called as (a, b, count, rng=rng), it gives `count` pairs of slices of the patients `a` and `b`."""


@final
@dataclass(frozen=True)
class ByPosition:
    """PBS (Yang et al. 2018): equal relative position in the region, moved by a few slices within its interior."""

    jitter: bool = True

    def __call__(self, a: Patient, b: Patient, count: int, *, rng: np.random.Generator) -> Pairs:
        """Slices of a at random, none twice while there are enough."""
        of_a = drawn(np.arange(len(a)), count, rng)
        return Pairs(of_a, self.matched(of_a, len(a), of=len(b), rng=rng))

    def matched(self, numbers: Numbers, among: int, *, of: int, rng: np.random.Generator) -> Numbers:
        """Where slices `among` so many lie among those `of` another patient."""
        found = np.rint(numbers / max(1, among - 1) * (of - 1)).astype(np.intp)
        moves = rng.integers(*JITTER, len(found))
        interior = (found >= MARGIN) & (found <= of - MARGIN - 1)
        return found + moves * interior if self.jitter else found


@final
@dataclass(frozen=True)
class ByScore:
    """Steps 3 to 5 of the paper: scores drawn where both patients have some, and each one's slice nearest to them.

    Patients whose scores do not overlap are paired by position (the paper says nothing of them).
    """

    score: Callable[[Patient], Scores]
    otherwise: ByPosition = field(default_factory=ByPosition)

    def __call__(self, a: Patient, b: Patient, count: int, *, rng: np.random.Generator) -> Pairs:
        """`count` pairs whose scores are nearest to drawn ones; a slice may come twice."""
        s_a, s_b = self.score(a), self.score(b)
        low, high = max(s_a.min(), s_b.min()), min(s_a.max(), s_b.max())
        if not low <= high:
            LOG.warning("the scores of %s and %s do not overlap; their slices are paired by position", a.name, b.name)
            return self.otherwise(a, b, count, rng=rng)
        wanted = rng.uniform(low, high, count)
        return Pairs(nearest(s_a, wanted), nearest(s_b, wanted))


@final
class Cached:
    """Scores that are computed once for every patient: the regressor no longer changes."""

    def __init__(self, score: Callable[[Patient], Scores]) -> None:
        self._score, self._known = score, dict[str, Scores]()

    def __call__(self, patient: Patient) -> Scores:
        """The scores of all slices of a patient."""
        if patient.name not in self._known:
            self._known[patient.name] = self._score(patient)
        return self._known[patient.name]


def nearest(scores: Scores, wanted: NDArray[np.float64]) -> Numbers:
    """The slice whose score is nearest to each that is wanted: arg min |score_r - score_p| of step 5."""
    found: Numbers = np.abs(scores - wanted[:, None]).argmin(axis=1)
    return found


def drawn(numbers: Numbers, count: int, rng: np.random.Generator) -> Numbers:
    """`count` of them at random, none twice while there are enough."""
    return rng.choice(numbers, count, replace=count > len(numbers))


def patients(of_a: int, of_b: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Who is drawn in an epoch (step 1), in CycleGAN's way: as many times as the larger domain has patients.

    Everyone of the first domain comes once before anyone comes again; of the second they are drawn at random.
    """
    rounds = max(of_a, of_b)
    first = np.concatenate([rng.permutation(of_a) for _ in range(-(-rounds // of_a))])[:rounds]
    yield from zip(first.tolist(), rng.integers(of_b, size=rounds).tolist(), strict=True)
