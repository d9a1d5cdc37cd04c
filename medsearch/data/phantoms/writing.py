"""Writing a phantom cohort as a BraTS 2020 folder."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from medsearch.core.errors import BadInput
from medsearch.core.records import read_record, write_json
from medsearch.data.concurrency import concurrently
from medsearch.data.layouts.scans import PHANTOM_RECORD
from medsearch.data.phantoms.brain import phantom_subject, template_order
from medsearch.data.phantoms.grids import box_affine, into_box
from medsearch.data.phantoms.spec import PhantomSpec, Specification
from medsearch.data.volumes import write_volume

Spec = TypeVar("Spec", bound=Specification)

_COLUMNS = (
    "Grade",
    "BraTS_2017_subject_ID",
    "BraTS_2018_subject_ID",
    "TCGA_TCIA_subject_ID",
    "BraTS_2019_subject_ID",
    "BraTS_2020_subject_ID",
)


def write_brats2020(spec: PhantomSpec, root: Path) -> Path:
    """Write the cohort of `spec` as the folder `root`, or find that it is there already; returns `root`.

    It appears complete or not at all: it is written aside and renamed. Subjects are called BraTS20_Phantom_001 and so
    on, and `phantom.json` says what it was made from, so that nobody takes it for patients.

    Raises:
        BadInput: `root` holds something else, or the label maps of `spec.anatomy` cannot be used.
    """
    return written(spec, root, _write)


def write_brain_phantom(
    root: Path, *, cases: int = 40, spacing: float = 4.0, seed: int = 0, anatomy: Path | None = None, healthy: int = 0
) -> Path:
    """`write_brats2020` from plain arguments; spacing in mm."""
    place = None if anatomy is None else str(anatomy)
    return write_brats2020(PhantomSpec(cases=cases, spacing=spacing, seed=seed, anatomy=place, healthy=healthy), root)


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


def subject_name(number: int) -> str:
    """The identifier of subject `number` (from 0)."""
    return f"BraTS20_Phantom_{number + 1:03d}"


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
    with (folder / "name_mapping.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows([grades[n], "NA", "NA", "NA", "NA", subject_name(n)] for n in sorted(grades))


def _write_subject(spec: PhantomSpec, number: int, folder: Path) -> str:
    subject = phantom_subject(spec, number)
    name, affine = subject_name(number), box_affine(spec.spacing)
    home = folder / name
    home.mkdir()
    for contrast, image in subject.images.items():
        write_volume(home / f"{name}_{contrast}.nii.gz", into_box(image, subject.grid), affine)
    write_volume(home / f"{name}_seg.nii.gz", into_box(subject.mask, subject.grid), affine)
    return subject.grade
