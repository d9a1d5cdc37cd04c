"""Writing a phantom cohort of abdomens: as the two TCIA collections with pairs beside them, or as generic folders.

    Pancreas-CT/PANCREAS_<n>/<study>/<series>/            ceCT
    manifest-phantom/CT COLONOGRAPHY/<subject>/<study>/   CT: a scout, supine, prone; at some an extra reconstruction
    TCIA_pancreas_labels-02-05-2017/label<n>.nii.gz       in the released order, under a header that denies it
    paired/PAIR_<n>/{CT,ceCT}.nii.gz

or `unpaired/{CT,ceCT}/<subject>.nii.gz` beside `paired/`. The numbers of withdrawn cases are left out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from medsearch.cohorts.layouts.abdominal_ct import ARCHIVES, WITHDRAWN
from medsearch.cohorts.layouts.nifti_folders import PAIRED, UNPAIRED
from medsearch.core import recipes
from medsearch.core.machine import concurrently
from medsearch.core.ranges import NonNegativeInt, PositiveInt, Range
from medsearch.core.recipes import recipe
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.abdomen.bodies import CONTRASTS
from medsearch.phantoms.abdomen.scans import COLONOGRAPHY, PANCREAS, BodyScan, Subject
from medsearch.phantoms.abdomen.scans import PAIRED as IN_PAIRS
from medsearch.phantoms.abdomen.series import SeriesHeader, write_scout, write_series
from medsearch.phantoms.spec import written

ABDOMEN_VERSION = 1
"""Raised whenever the same specification yields other images."""


@recipe
class AbdomenSpec:
    """`cases` people without and as many with contrast agent, nobody in both, and `pairs` others seen both ways.

    `spacing`: of pixels, mm; slices are 432 mm wide, and a quarter to half again as far apart as pixels.
    """

    cases: PositiveInt = 12
    pairs: NonNegativeInt = 6
    spacing: Annotated[float, Range(0.8, 7)] = 4.5
    seed: NonNegativeInt = 0

    layout: ClassVar[str] = "abdominal_ct"

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        return 2 * self.cases + self.pairs

    @property
    def fingerprint(self) -> str:
        """Changes when the files would: with the specification, the layout, or their version."""
        return recipes.fingerprint([recipes.plain(self), self.layout, ABDOMEN_VERSION])


@recipe
class NiftiFoldersSpec(AbdomenSpec):
    """The same people in the generic folders."""

    layout: ClassVar[str] = "nifti_folders"


LABEL_FOLDER = "TCIA_pancreas_labels-02-05-2017"

_MANIFEST, _STUDY = "manifest-phantom", "01-01-2000-PHANTOM"
_COLONOGRAPHY = "1.3.6.1.4.1.9328.50.4"
_EXTRA_EVERY = 3


def write_abdominal_ct(spec: AbdomenSpec, root: Path) -> Path:
    """Write the cohort of `spec` as the folder `root`, or find that it is there already; returns `root`.

    It appears complete or not at all, and `phantom.json` says that nobody is a patient.

    Raises:
        BadInput: `root` holds something else.
    """
    return written(spec, root, _write_tcia)


def write_nifti_folders(spec: NiftiFoldersSpec, root: Path) -> Path:
    """As `write_abdominal_ct`, in the generic folders."""
    return written(spec, root, _write_generic)


def pancreas_names(count: int) -> list[str]:
    """The identifiers of so many cases of Pancreas-CT."""
    names = (f"PANCREAS_{number:04d}" for number in range(1, count + len(WITHDRAWN) + 1))
    return [name for name in names if name not in WITHDRAWN][:count]


def pair_names(count: int) -> list[str]:
    """The identifiers of so many pairs."""
    return [f"PAIR_{number:03d}" for number in range(1, count + 1)]


def person(spec: AbdomenSpec, kind: str, number: int) -> Subject:
    """Who is number `number` (from 0) of the "pancreas", "colonography" or "paired" cases."""
    protocol = {"pancreas": PANCREAS, "colonography": COLONOGRAPHY, "paired": IN_PAIRS}[kind]
    contrasts = {"pancreas": ("ceCT",), "colonography": ("CT",), "paired": CONTRASTS}[kind]
    stream = (kind, number)
    return Subject(seed=spec.seed, stream=stream, protocol=protocol, spacing=spec.spacing, contrasts=contrasts)


def _write_tcia(spec: AbdomenSpec, folder: Path) -> None:
    labels = folder / LABEL_FOLDER
    labels.mkdir()
    pancreas, colonography = (place.folder for place in ARCHIVES)

    def one(job: tuple[str, int, str]) -> None:
        kind, number, name = job
        if kind == "pancreas":
            scan = person(spec, kind, number).scan()
            home = folder / pancreas / name / _STUDY / "Pancreas-1"
            _write_scan(home, scan, SeriesHeader(subject=name, number=1, intercept=0, upwards=True))
            x, y, z = scan.spacing  # voxels to the left, to the back and up, under a header that says to the front
            write_volume(labels / f"label{name[-4:]}.nii.gz", scan.pancreas, np.diag([-x, y, z, 1.0]))
        elif kind == "colonography":
            home = folder / _MANIFEST / colonography / name / _STUDY
            _write_colonography(home, person(spec, kind, number), name, extra=number % _EXTRA_EVERY == 0)
        else:
            _write_pair(folder / PAIRED / name, person(spec, kind, number))

    _each(spec, one)


def _write_generic(spec: AbdomenSpec, folder: Path) -> None:
    for contrast in CONTRASTS:
        (folder / UNPAIRED / contrast).mkdir(parents=True)

    def one(job: tuple[str, int, str]) -> None:
        kind, number, name = job
        someone = person(spec, kind, number)
        if kind == "paired":
            _write_pair(folder / PAIRED / name, someone)
        else:
            scan, contrast = someone.scan(), someone.contrasts[0]
            write_volume(folder / UNPAIRED / contrast / f"{name}.nii.gz", scan.images[contrast], scan.affine)

    _each(spec, one)


def _each(spec: AbdomenSpec, write: Callable[[tuple[str, int, str]], None]) -> None:
    named = {
        "pancreas": pancreas_names(spec.cases),
        "colonography": [f"{_COLONOGRAPHY}.{number:04d}" for number in range(1, spec.cases + 1)],
        "paired": pair_names(spec.pairs),
    }
    jobs = [(kind, number, name) for kind, names in named.items() for number, name in enumerate(names)]
    for _ in concurrently(write, jobs):
        pass


def _write_colonography(folder: Path, subject: Subject, name: str, *, extra: bool) -> None:
    back, front = subject.scan(), subject.scan(prone=True)
    (image,) = back.images.values()
    projection = image.astype(np.float32).mean(axis=1).astype(np.int16)
    write_scout(
        folder / "1-Scout", projection, SeriesHeader(subject=name, number=1, localizer=True), spacing=back.spacing
    )
    _write_scan(folder / "2-Supine", back, SeriesHeader(subject=name, number=2))
    _write_scan(folder / "3-Prone", front, SeriesHeader(subject=name, number=3, lying="HFP"))
    if extra:  # a reconstruction of every second slice
        spacing = (*back.spacing[:2], 2 * back.spacing[2])
        header = SeriesHeader(subject=name, number=4)
        write_series(folder / "4-Recon", image[..., ::2], header, spacing=spacing, origin=back.origin)


def _write_pair(folder: Path, subject: Subject) -> None:
    folder.mkdir(parents=True)
    scan = subject.scan()
    for contrast, image in scan.images.items():
        write_volume(folder / f"{contrast}.nii.gz", image, scan.affine)


def _write_scan(folder: Path, scan: BodyScan, header: SeriesHeader) -> None:
    (image,) = scan.images.values()
    write_series(folder, image, header, spacing=scan.spacing, origin=scan.origin)
