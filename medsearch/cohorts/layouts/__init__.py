"""Layouts: how a public data set names its folders and files. One module per data set.

A layout looks at names only (and at one header per DICOM series), so that a plan can be printed at once; what the files
hold is checked in `medsearch.cohorts.checks`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from medsearch.cohorts.cohort import Finding
from medsearch.cohorts.layouts.abdominal_ct import AbdominalCT
from medsearch.cohorts.layouts.brats import BRATS_2020, BRATS_2021, BRATS_2023, RELEASES, BraTS
from medsearch.cohorts.layouts.crossmoda import CROSSMODA_2021, CROSSMODA_2022, CrossMoDA
from medsearch.cohorts.layouts.nifti_folders import NiftiFolders
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, AxialLayout, Layout, Scan, TumourLayout
from medsearch.core.errors import BadInput
from medsearch.imaging.image_files import visible

__all__ = [
    "AXIAL_LAYOUTS",
    "LAYOUTS",
    "PHANTOM_RECORD",
    "RELEASES",
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
    "recognised",
    "refusal",
    "sibling",
    "tumour_layout",
]

TUMOUR_LAYOUTS: Mapping[str, TumourLayout] = {
    known.name: known for known in (BRATS_2020, BRATS_2021, BRATS_2023, CROSSMODA_2021, CROSSMODA_2022)
}
AXIAL_LAYOUTS: Mapping[str, AxialLayout] = {known.name: known for known in (AbdominalCT(), NiftiFolders())}
LAYOUTS: Mapping[str, Layout] = {**TUMOUR_LAYOUTS, **AXIAL_LAYOUTS}

_CHANNEL = re.compile(r".+_\d{4}\.(nii(\.gz)?|mha|nrrd|png|tif)")
_DEPTH = 2
"""So many folders down archives are looked for: nnUNet_raw/Dataset001_Name."""


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


def sibling(root: Path, layout: str) -> str:
    """The layout that `root` is in, among those that a study of `layout` can be put to; else `layout` itself.

    The releases of BraTS are such: their contrasts and sizes are the same, their cases are not.
    """
    if layout in (release.name for release in RELEASES) and root.is_dir():
        return next((release.name for release in RELEASES if release.owns(root)), layout)
    return layout


def recognised(root: Path) -> str | None:
    """The first layout that finds cases under `root` and has nothing against the folder; None if none does."""
    for name, known in LAYOUTS.items():
        scan = known.scan(root)
        if scan.cohort.cases and not any(finding.fatal and finding.subject is None for finding in scan.findings):
            return name
    return None


def refusal(root: Path, wanted: Layout) -> Finding | None:
    """Why nothing is found under `root` in the layout `wanted`, and what to do, if the folder is known."""
    if not root.is_dir():
        return None
    name = recognised(root)
    if name == wanted.name:  # what is missing is a contrast that was asked for
        return None
    if name is not None:
        return Finding(None, root, f"is in the {name} layout, not {wanted.name}", f"choose the layout {name}")
    example = "unpaired/<contrast>/<CASE>.nii.gz (layout nifti_folders)"
    if isinstance(wanted, BraTS):
        first, mask = (wanted.names.file("<CASE>", kind) for kind in ("t1", "mask"))
        example = f"<CASE>/{first} and so on, masks as <CASE>/{mask}"
    elif wanted.grids == "atlas":
        example = "training_source/<CASE>_ceT1.nii.gz, masks as training_source/<CASE>_Label.nii.gz, and so on"
    for folder in _folders(root, _DEPTH):
        entries = {path.name: path for path in visible(folder) if path.is_dir() or path.suffix == ".json"}
        what, rewrite = "", f"write channels (dataset.json names them) as {example}"
        if "imagesTr" in entries:
            # An image bears the number of a channel behind the case's name, which its label has without.
            labels = entries.get("labelsTr")
            labelled = {path.name for path in visible(labels)} if labels and labels.is_dir() else set()
            images = [path.name for path in visible(entries["imagesTr"])]
            if any(_CHANNEL.fullmatch(image) and image not in labelled for image in images):
                what = "is an nnU-Net folder (imagesTr, one file per channel: _0000, _0001 and so on)"
        if not what and {"imagesTr", "labelsTr"} <= {*entries}:
            what = "is a folder of the Medical Segmentation Decathlon (imagesTr, labelsTr, all contrasts in one file)"
            rewrite = f"write contrasts (dataset.json names them) as {example}"
        if not what and "dataset_description.json" in entries and any(name.startswith("sub-") for name in entries):
            what, rewrite = "is a BIDS folder (sub-<label>/anat)", f"copy or link its images as {example}"
        if what:
            return Finding(None, folder, what, rewrite)
    return None


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for path in visible(root):
            if path.is_dir():
                yield from _folders(path, depth - 1)
