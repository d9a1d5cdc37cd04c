"""Phantoms: computed cohorts in the layout of a public data set, so that every study runs with no data.

MNI152 tissue maps (or label maps) under a smooth random deformation per subject, a tumour, signal equations, bias
field and Rician noise. `templates` -> `anatomy` -> `tumours` -> `brain` -> `writing`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from medsearch.data.phantoms.spec import PhantomSpec
from medsearch.data.phantoms.writing import write_brain_phantom, write_brats2020

__all__ = ["PHANTOMS", "Phantom", "PhantomSpec", "write_brain_phantom", "write_brats2020"]


class Phantom(NamedTuple):
    """A layout's phantom: the recipe that specifies it, and what writes it as a folder and returns that."""

    spec: type[PhantomSpec]
    write: Callable[[PhantomSpec, Path], Path]


PHANTOMS: Mapping[str, Phantom] = {"brats2020": Phantom(PhantomSpec, write_brats2020)}
