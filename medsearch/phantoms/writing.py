"""Writing a phantom cohort as a BraTS folder of one release."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.layouts.brats import RELEASES
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD
from medsearch.core.errors import BadInput
from medsearch.core.machine import concurrently
from medsearch.core.records import read_record, write_json
from medsearch.core.spreadsheets import csv_text
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.brain import phantom_subject, template_order
from medsearch.phantoms.grids import box_affine, into_box
from medsearch.phantoms.spec import PhantomSpec, Specification
from medsearch.phantoms.tissues import TUMOUR

Spec = TypeVar("Spec", bound=Specification)

SUBJECTS = {
    "brats2020": "BraTS20_Phantom_{:03d}",
    "brats2021": "BraTS2021_Phantom_{:05d}",
    "brats2023": "BraTS-Phantom-{:05d}-000",
}
"""What subjects are called, by layout: as the release calls its own, but for the word that says that nobody is one."""

_COLUMNS = (
    "Grade",
    "BraTS_2017_subject_ID",
    "BraTS_2018_subject_ID",
    "TCGA_TCIA_subject_ID",
    "BraTS_2019_subject_ID",
    "BraTS_2020_subject_ID",
)


def write_brats(spec: PhantomSpec, root: Path) -> Path:
    """Write the cohort of `spec` as the folder `root`, or find that it is there already; returns `root`.

    It appears complete or not at all: it is written aside and renamed. Subjects are called BraTS20_Phantom_001 and so
    on (see `SUBJECTS`), and `phantom.json` says what it was made from, so that nobody takes it for patients.

    Raises:
        BadInput: `root` holds something else, or the label maps of `spec.anatomy` cannot be used.
    """
    return written(spec, root, _write)


def write_brain_phantom(
    root: Path, *, cases: int = 40, spacing: float = 4.0, seed: int = 0, anatomy: Path | None = None, healthy: int = 0
) -> Path:
    """`write_brats` as BraTS 2020, from plain arguments; spacing in mm."""
    place = None if anatomy is None else str(anatomy)
    return write_brats(PhantomSpec(cases=cases, spacing=spacing, seed=seed, anatomy=place, healthy=healthy), root)


def written(spec: Spec, root: Path, write: Callable[[Spec, Path], None]) -> Path:
    """Let `write` fill a folder aside, add the record, and rename it to `root`; returns `root`, also if it was there.

    Raises:
        BadInput: `root` holds something else.
    """
    if _is_written(spec, root):
        return root
    aside = root.with_name(f".{root.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write(spec, aside)
        write_json(aside / PHANTOM_RECORD, {"fingerprint": spec.fingerprint, "spec": spec})
        _put(aside, root, spec)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return root


def subject_name(number: int, layout: str) -> str:
    """The identifier of subject `number` (from 0)."""
    return SUBJECTS[layout].format(number + 1)


def _is_written(spec: Specification, root: Path) -> bool:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    record = root / PHANTOM_RECORD
    if not record.is_file() or read_record(record).get("fingerprint") != spec.fingerprint:
        msg = f"{root}: holds something else than this phantom; give a new or empty folder"
        raise BadInput(msg)
    return True


def _put(aside: Path, root: Path, spec: Specification) -> None:
    try:
        aside.rename(root)
    except OSError:
        if not _is_written(spec, root):  # otherwise another process was faster with the same phantom
            raise


def _write(spec: PhantomSpec, folder: Path) -> None:
    numbers = template_order(spec)
    grades = {numbers[0]: _write_subject(spec, numbers[0], folder)}  # alone: the template is loaded once
    rest = concurrently(lambda number: _write_subject(spec, number, folder), numbers[1:])
    grades.update(zip(numbers[1:], rest, strict=True))
    if spec.layout != "brats2020":
        return
    lines = ([grades[n], "NA", "NA", "NA", "NA", subject_name(n, spec.layout)] for n in sorted(grades))
    (folder / "name_mapping.csv").write_bytes(csv_text([_COLUMNS, *lines]).encode())


def _write_subject(spec: PhantomSpec, number: int, folder: Path) -> str:
    subject = phantom_subject(spec, number)
    release = next(release for release in RELEASES if release.name == spec.layout)
    name, affine = subject_name(number, spec.layout), box_affine(spec.spacing)
    home = folder / name
    home.mkdir()
    labels = dict(zip(TUMOUR.values(), release.tumour, strict=True))
    mask = np.select([subject.mask == ours for ours in labels], list(labels.values()), 0).astype(np.uint8)
    arrays: dict[str, npt.NDArray[Any]] = {**subject.images, "mask": mask}
    for kind, image in arrays.items():
        write_volume(home / release.names.file(name, kind), into_box(image, subject.grid), affine)
    return subject.grade
