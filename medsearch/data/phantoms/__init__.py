"""Phantoms: computed cohorts in the layout of a public data set, so that every study runs with no data.

MNI152 tissue maps (or label maps) under a smooth random deformation per subject, a tumour, signal equations, bias
field and Rician noise. `templates` -> `anatomy` -> `tumours` -> `brain` -> `writing` make brains with gliomas;
`vestibular` makes whole heads with a schwannoma of the vestibular nerve.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from medsearch.data.phantoms.spec import PhantomSpec
from medsearch.data.phantoms.vestibular.spec import CrossModa2021Spec, CrossModa2022Spec
from medsearch.data.phantoms.vestibular.writing import write_crossmoda
from medsearch.data.phantoms.writing import write_brain_phantom, write_brats2020

__all__ = [
    "PHANTOMS",
    "CrossModa2021Spec",
    "CrossModa2022Spec",
    "Phantom",
    "PhantomSpec",
    "write_brain_phantom",
    "write_brats2020",
    "write_crossmoda",
]


class Phantom(NamedTuple):
    """A layout's phantom: the recipe that specifies it, and what writes it as a folder and returns that."""

    spec: type[PhantomSpec]
    write: Callable[[PhantomSpec, Path], Path]


PHANTOMS: Mapping[str, Phantom] = {
    "brats2020": Phantom(PhantomSpec, write_brats2020),
    "crossmoda2021": Phantom(CrossModa2021Spec, write_crossmoda),
    "crossmoda2022": Phantom(CrossModa2022Spec, write_crossmoda),
}
