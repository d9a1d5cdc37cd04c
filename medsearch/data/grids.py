"""How the cases of a cohort come onto one grid: resampled as they are, or registered to an atlas first."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.core.records import append_line, lacks, read_lines
from medsearch.data.atlas import AtlasCase, Block, centroid
from medsearch.data.cohorts import Case, Cohort
from medsearch.data.geometry import Geometry, Spacing, Triple
from medsearch.data.layouts import TumourLayout
from medsearch.data.registration import REGISTRATION_VERSION, Fit, RegistrationFailed
from medsearch.data.resampling import Image, image_on_grid, mask_on_grid
from medsearch.data.volumes import read_volume


class GridCase(NamedTuple):
    """A case on a common grid: its images by contrast, its mask (Z, Y, X), and what to record of how it came there.

    The mask is 0 everywhere where the case has none.
    """

    images: Mapping[str, Image]
    mask: NDArray[np.uint8]
    about: Mapping[str, Any]


class Grid(Protocol):
    """A cohort's common grid."""

    @property
    def shape(self) -> Triple:
        """(Z, Y, X) of every volume."""

    @property
    def record(self) -> Mapping[str, Any]:
        """What is to be known of the grid itself."""

    def read(self, case: Case) -> GridCase:
        """The case on the grid; each of its files is read once.

        Raises:
            BadInput: a file cannot be brought there; the message names it.

        """


def grid_of(cohort: Cohort, kind: TumourLayout, geometry: Geometry, *, memory: Path) -> Grid:
    """The grid that the cohort's layout needs.

    memory: a file of JSON lines that remembers how the cases of this very cohort lie.

    Raises:
        BadInput: a case cannot be brought to it; the message names it.

    """
    if kind.atlas is None:
        return AsGiven.of(cohort, kind, geometry.spacing)
    return Registered.of(cohort, kind, geometry, memory=memory)


@dataclass(frozen=True)
class AsGiven:
    """All files lie on one grid already, up to their orientation and voxel size.

    first: the image by which the grid is known, until its case is read.
    """

    kind: TumourLayout
    spacing: Spacing
    shape: Triple
    first: dict[Path, Image]
    record: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(cohort: Cohort, kind: TumourLayout, spacing: Spacing) -> "AsGiven":
        """The grid of the first case at `spacing`."""
        path = next(iter(cohort.cases[0].images.values()))
        image = image_on_grid(read_volume(path), spacing)
        deep, high, wide = image.values.shape
        return AsGiven(kind, spacing, (deep, high, wide), {path: image})

    def read(self, case: Case) -> GridCase:
        """As `Grid.read`."""
        images = {
            contrast: self.first.pop(path) if path in self.first else image_on_grid(read_volume(path), self.spacing)
            for contrast, path in case.images.items()
        }
        mask = np.zeros(self.shape, np.uint8)
        grids = {case.images[contrast]: image.values.shape for contrast, image in images.items()}
        if case.mask is not None:
            mask = mask_on_grid(read_volume(case.mask), self.spacing, self.kind.tumour)
            grids[case.mask] = mask.shape
        for path, grid in grids.items():
            if grid != self.shape:
                where = f"case {case.subject}: {path} has (z, y, x) grid {grid}"
                msg = f"{where}, the cohort {self.shape}; resample or exclude it"
                raise BadInput(msg)
        return GridCase(images, mask, {})


@dataclass(frozen=True, eq=False)
class Registered:
    """Every case is registered to an atlas, and a block of it is cut out (section 5.5.1)."""

    kind: TumourLayout
    atlas: AtlasCase
    block: Block
    laid: Mapping[str, Fit]
    """By subject, how the atlas lies in the case."""

    @staticmethod
    def of(cohort: Cohort, kind: TumourLayout, geometry: Geometry, *, memory: Path) -> "Registered":
        """Registers all cases; the block is centred on the source's tumours.

        Raises:
            BadInput: cases cannot be registered; the message names them all, and why the first cannot.

        """
        atlas = AtlasCase.of(cohort, str(kind.atlas))
        laid = _all_laid(cohort, atlas, memory)
        sources = [case for case in cohort.cases if case.part == "source"]
        found = [centroid(case, laid[case.subject].matrix, kind.tumour) for case in sources]
        return Registered(kind, atlas, Block.of(atlas, geometry, [at for at in found if at is not None]), laid)

    @property
    def shape(self) -> Triple:
        """(Z, Y, X) of every volume."""
        return self.block.shape

    @property
    def record(self) -> Mapping[str, Any]:
        """Who the atlas is, and where the block lies in it."""
        return {"atlas": self.atlas.subject, "affine": self.block.affine.tolist()}

    def read(self, case: Case) -> GridCase:
        """As `Grid.read`, about: how the case lies on the atlas, and its own grid, to write predictions there."""
        fit = self.laid[case.subject]
        volumes = {contrast: read_volume(path) for contrast, path in case.images.items()}
        images = {contrast: self.block.image(volume, fit.matrix) for contrast, volume in volumes.items()}
        mask = np.zeros(self.shape, np.uint8)
        if case.mask is not None:
            mask = self.block.mask(read_volume(case.mask), fit.matrix, self.kind.tumour)
        own = next(iter(volumes.values()))
        native = {"shape": list(own.array.shape), "affine": own.affine.tolist()}
        about = {"laid": fit.matrix.tolist(), "likeness": fit.likeness, "overlap": fit.overlap, "native": native}
        return GridCase(images, mask, about)


def _line_fault(line: Mapping[str, Any]) -> str:
    number = (int, float)
    if problem := lacks(line, {"version": int, "subject": str, "matrix": list}):
        return problem
    if problem := lacks(line, {"likeness": number, "overlap": number}):
        return problem
    rows = line["matrix"]
    whole = [len(row) for row in rows if isinstance(row, list) and all(type(value) in number for value in row)]
    return "" if whole == [4] * 4 else "has no matrix of 4 x 4 numbers"


def _all_laid(cohort: Cohort, atlas: AtlasCase, memory: Path) -> dict[str, Fit]:
    """How every case lies; what was found before, at another scale or before an interruption, is not sought again."""
    lines = read_lines(memory, fault=_line_fault)
    known = {line["subject"]: line for line in lines if line["version"] == REGISTRATION_VERSION}
    writing, failed = Lock(), dict[str, str]()

    def one(case: Case) -> Fit | None:
        if case.subject in known:
            line = known[case.subject]
            return Fit(np.array(line["matrix"]), line["likeness"], line["overlap"])
        try:
            fit = atlas.laid(case)
        except RegistrationFailed as error:
            failed[case.subject] = str(error)
            return None
        said = {"matrix": fit.matrix.tolist(), "likeness": fit.likeness, "overlap": fit.overlap}
        with writing:
            append_line(memory, {"version": REGISTRATION_VERSION, "subject": case.subject, **said})
        return fit

    with ThreadPoolExecutor(cores()) as pool:
        fits = zip(cohort.subjects, pool.map(one, cohort.cases), strict=True)
        laid = {subject: fit for subject, fit in fits if fit is not None}
    if failed:
        names = [subject for subject in cohort.subjects if subject in failed]
        msg = (
            f"{', '.join(names)} cannot be laid on the atlas ({atlas.subject}), {names[0]} because "
            f"{failed[names[0]]}; mend the orientation and spacing in its header, or take the case out"
        )
        raise BadInput(msg)
    return laid
