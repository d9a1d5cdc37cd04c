"""One phantom cohort of abdomens for all tests of this floor, and a look at its volumes as tasks want them."""

from functools import cache
from pathlib import Path

import numpy as np

from medsearch.phantoms import AbdomenSpec, write_abdominal_ct
from medsearch.phantoms.abdomen.scans import BodyScan
from medsearch.phantoms.abdomen.writing import person

SPEC = AbdomenSpec(cases=4, pairs=2, spacing=6.75, seed=0)
KINDS = {"pancreas": SPEC.cases, "colonography": SPEC.cases, "paired": SPEC.pairs}


def written(folder: Path) -> Path:
    """The cohort as a folder."""
    return write_abdominal_ct(SPEC, folder)


@cache
def scan(kind: str, number: int) -> BodyScan:
    """What is known of one scan."""
    return person(SPEC, kind, number).scan()


def stack(array: np.ndarray) -> np.ndarray:
    """(x, y, z) of LPS as (Z, Y, X), superior to inferior."""
    return array.transpose(2, 1, 0)[::-1]


def mm(one: BodyScan) -> tuple[float, float, float]:
    """Spacing along z, y and x."""
    x, y, z = one.spacing
    return z, y, x
