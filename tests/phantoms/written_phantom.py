"""What the tests of this floor compare: a written phantom with what is known of it, and with real volumes."""

from dataclasses import dataclass

import numpy as np

from medsearch.cohorts.cohort import Cohort
from medsearch.phantoms import PhantomSpec
from medsearch.phantoms.brain import PhantomSubject

SPEC = PhantomSpec(cases=12, spacing=4.0, seed=0)

REAL = {
    "grey matter": {"t1": (0.70, 0.88), "t1ce": (0.69, 0.98), "t2": (1.06, 1.32), "flair": (0.90, 1.11)},
    "fluid": {"t1": (0.35, 0.71), "t1ce": (0.40, 0.62), "t2": (2.3, 4.2), "flair": (0.27, 0.73)},
    "oedema": {"t1": (0.64, 0.86), "t1ce": (0.60, 0.99), "t2": (1.4, 1.9), "flair": (1.4, 1.8)},
    "core": {"t1": (0.34, 0.66), "t1ce": (0.33, 0.98), "t2": (1.7, 2.2), "flair": (1.4, 1.6)},
    "rim": {"t1": (0.59, 0.80), "t1ce": (1.0, 1.36), "t2": (1.37, 1.85), "flair": (1.32, 1.78)},
}
"""Medians over white matter in real volumes at 3 T: the lowest and highest of five cases. The rim is one faintly
enhancing case (0.69, 1.18, 1.61, 1.55), widened by 15 %."""


@dataclass(frozen=True)
class Written:
    """A phantom cohort: its files, read back, and its subjects, in the same order."""

    cohort: Cohort
    volumes: list[dict[str, np.ndarray]]
    subjects: list[PhantomSubject]
