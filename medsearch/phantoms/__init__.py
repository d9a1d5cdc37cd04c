"""Phantoms: computed cohorts in the layout of a public data set, so that every study runs with no data.

MNI152 tissue maps (or label maps) under a smooth random deformation per subject, a tumour, signal equations, bias
field and Rician noise. `templates` -> `anatomy` -> `brain` make brains with gliomas;
`vestibular` makes whole heads with a schwannoma of the vestibular nerve, `abdomen` trunks in CT.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from medsearch.core.errors import BadInput
from medsearch.phantoms.abdomen.writing import AbdomenSpec, NiftiFoldersSpec, write_abdominal_ct, write_nifti_folders
from medsearch.phantoms.brain import write_brain_phantom, write_brats
from medsearch.phantoms.spec import BraTS2021Spec, BraTS2023Spec, PhantomSpec, Specification
from medsearch.phantoms.vestibular.spec import CrossModa2021Spec, CrossModa2022Spec
from medsearch.phantoms.vestibular.writing import write_crossmoda

__all__ = [
    "PHANTOMS",
    "AbdomenSpec",
    "BraTS2021Spec",
    "BraTS2023Spec",
    "CrossModa2021Spec",
    "CrossModa2022Spec",
    "NiftiFoldersSpec",
    "Phantom",
    "PhantomSpec",
    "Specification",
    "specified",
    "write_abdominal_ct",
    "write_brain_phantom",
    "write_brats",
    "write_crossmoda",
    "write_nifti_folders",
]


class Phantom(NamedTuple):
    """A layout's phantom: the recipe that specifies it, and what writes it as a folder and returns that."""

    spec: Callable[..., Specification]
    write: Callable[[Any, Path], Path]

    @property
    def knobs(self) -> tuple[str, ...]:
        """The names of the fields that the recipe can be given."""
        return tuple(field.name for field in dataclasses.fields(self.spec))  # type: ignore[arg-type]


PHANTOMS: Mapping[str, Phantom] = {
    "brats2020": Phantom(PhantomSpec, write_brats),
    "brats2021": Phantom(BraTS2021Spec, write_brats),
    "brats2023": Phantom(BraTS2023Spec, write_brats),
    "crossmoda2021": Phantom(CrossModa2021Spec, write_crossmoda),
    "crossmoda2022": Phantom(CrossModa2022Spec, write_crossmoda),
    "abdominal_ct": Phantom(AbdomenSpec, write_abdominal_ct),
    "nifti_folders": Phantom(NiftiFoldersSpec, write_nifti_folders),
}


def specified(layout: str, given: Mapping[str, object]) -> Specification:
    """The specification of a layout's phantom from what was asked for; the rest is as usual.

    Raises:
        BadInput: the phantom cannot be told one of these, or not that.
    """
    phantom = PHANTOMS[layout]
    if unknown := [name for name in given if name not in phantom.knobs]:
        msg = f"the {layout} phantom has no {unknown[0]!r}; it takes {', '.join(phantom.knobs)}"
        raise BadInput(msg)
    return phantom.spec(**given)
