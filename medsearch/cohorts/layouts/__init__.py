"""Layouts: how a public data set names its folders and files. One module per data set.

A layout looks at names only (and at one header per DICOM series), so that a plan can be printed at once; what the files
hold is checked in `medsearch.cohorts.checks`.
"""

from collections.abc import Mapping

from medsearch.cohorts.layouts.abdominal_ct import AbdominalCT
from medsearch.cohorts.layouts.brats import BRATS_2020, BRATS_2021, BRATS_2023, BraTS
from medsearch.cohorts.layouts.crossmoda import CROSSMODA_2021, CROSSMODA_2022, CrossMoDA
from medsearch.cohorts.layouts.nifti_folders import NiftiFolders
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, AxialLayout, Layout, Scan, TumourLayout
from medsearch.core.errors import BadInput

__all__ = [
    "AXIAL_LAYOUTS",
    "LAYOUTS",
    "PHANTOM_RECORD",
    "TUMOUR_LAYOUTS",
    "AbdominalCT",
    "AxialLayout",
    "BraTS",
    "CrossMoDA",
    "Layout",
    "NiftiFolders",
    "Scan",
    "TumourLayout",
    "axial_layout",
    "layout",
    "tumour_layout",
]

TUMOUR_LAYOUTS: Mapping[str, TumourLayout] = {
    known.name: known for known in (BRATS_2020, BRATS_2021, BRATS_2023, CROSSMODA_2021, CROSSMODA_2022)
}
AXIAL_LAYOUTS: Mapping[str, AxialLayout] = {known.name: known for known in (AbdominalCT(), NiftiFolders())}
LAYOUTS: Mapping[str, Layout] = {**TUMOUR_LAYOUTS, **AXIAL_LAYOUTS}


def layout(name: str) -> Layout:
    """The layout called `name`.

    Raises:
        BadInput: there is none.
    """
    if name not in LAYOUTS:
        msg = f"no layout {name!r}; choose one of {', '.join(LAYOUTS)}"
        raise BadInput(msg)
    return LAYOUTS[name]


def tumour_layout(name: str) -> TumourLayout:
    """The layout called `name`, whose cases have outlined tumours.

    Raises:
        BadInput: there is none, or its cases have no tumours.
    """
    if name not in TUMOUR_LAYOUTS:
        msg = f"layout {layout(name).name!r} has no outlined tumours; choose one of {', '.join(TUMOUR_LAYOUTS)}"
        raise BadInput(msg)
    return TUMOUR_LAYOUTS[name]


def axial_layout(name: str) -> AxialLayout:
    """The layout called `name`, whose cases are stacks of axial slices.

    Raises:
        BadInput: there is none, or its cases lie on a common grid.
    """
    if name not in AXIAL_LAYOUTS:
        msg = f"layout {layout(name).name!r} is not of whole CT images; choose one of {', '.join(AXIAL_LAYOUTS)}"
        raise BadInput(msg)
    return AXIAL_LAYOUTS[name]
