"""What a folder is, by its names: in which layout, or in which format that no layout reads."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from medsearch.cohorts.cohort import Finding
from medsearch.cohorts.layouts.brats import RELEASES, BraTS
from medsearch.cohorts.layouts.scans import Layout
from medsearch.imaging.image_files import visible

_CHANNEL = re.compile(r".+_\d{4}\.(nii(\.gz)?|mha|nrrd|png|tif)")
_DEPTH = 2
"""So many folders down archives are looked for: nnUNet_raw/Dataset001_Name."""


def sibling(root: Path, layout: str) -> str:
    """The layout that `root` is in, among those that a study of `layout` can be put to; else `layout` itself.

    The releases of BraTS are such: their contrasts and sizes are the same, their cases are not.
    """
    if layout in (release.name for release in RELEASES) and root.is_dir():
        return next((release.name for release in RELEASES if release.owns(root)), layout)
    return layout


def recognised(root: Path, layouts: Mapping[str, Layout]) -> str | None:
    """The first of `layouts` that finds cases under `root` and has nothing against the folder; None if none does."""
    for name, known in layouts.items():
        scan = known.scan(root)
        if scan.cohort.cases and not any(finding.fatal and finding.subject is None for finding in scan.findings):
            return name
    return None


def refusal(root: Path, wanted: Layout, layouts: Mapping[str, Layout]) -> Finding | None:
    """Why nothing is found under `root` in the layout `wanted`, and what to do, if the folder is known."""
    if not root.is_dir():
        return None
    name = recognised(root, layouts)
    if name == wanted.name:  # what is missing is a contrast that was asked for
        return None
    if name is not None:
        return Finding(None, root, f"is in the {name} layout, not {wanted.name}", f"choose the layout {name}")
    for folder in _folders(root, _DEPTH):
        names = {path.name for path in visible(folder) if path.is_dir() or path.suffix == ".json"}
        if "imagesTr" in names and _in_channels(folder):
            what = "is an nnU-Net folder (imagesTr, one file per channel: _0000, _0001 and so on)"
            return Finding(None, folder, what, f"write channels (dataset.json names them) as {_example(wanted)}")
        if {"imagesTr", "labelsTr"} <= names:
            what = "is a folder of the Medical Segmentation Decathlon (imagesTr, labelsTr, all contrasts in one file)"
            return Finding(None, folder, what, f"write contrasts (dataset.json names them) as {_example(wanted)}")
        if "dataset_description.json" in names and any(name.startswith("sub-") for name in names):
            what = "is a BIDS folder (sub-<label>/anat)"
            return Finding(None, folder, what, f"copy or link its images as {_example(wanted)}")
    return None


def _in_channels(folder: Path) -> bool:
    """Whether images bear the number of a channel behind the case's name, which its label has without."""
    labels = {path.name for path in visible(folder / "labelsTr")} if (folder / "labelsTr").is_dir() else set()
    images = [path.name for path in visible(folder / "imagesTr")]
    return any(_CHANNEL.fullmatch(name) and name not in labels for name in images)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for path in visible(root):
            if path.is_dir():
                yield from _folders(path, depth - 1)


def _example(wanted: Layout) -> str:
    """How a file is called in a layout."""
    if isinstance(wanted, BraTS):
        first, mask = (wanted.names.file("<CASE>", kind) for kind in ("t1", "mask"))
        return f"<CASE>/{first} and so on, masks as <CASE>/{mask}"
    if wanted.grids == "atlas":
        return "training_source/<CASE>_ceT1.nii.gz, masks as training_source/<CASE>_Label.nii.gz, and so on"
    return "unpaired/<contrast>/<CASE>.nii.gz (layout nifti_folders)"
