"""How the cases of a cohort come onto one grid: resampled as they are, or registered to an atlas first.

Images that come as they were acquired (section 5.5.1) are registered to one of them, the atlas, and a block of its head
is cut out. The grid's x runs to the left from the atlas's own mid-sagittal plane, so that its halves are the
hemispheres; y runs to the back, z up. The plane is found by registering the atlas to its mirror image. From front to
back and up and down the block is centred on where the annotated source tumours lie once they are registered (the paper
chose its block by eye), or on the atlas's field of view where none is annotated.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.cohort import Case, Cohort
from medsearch.cohorts.layouts import TumourLayout
from medsearch.core.errors import BadInput
from medsearch.core.machine import cores
from medsearch.core.records import append_line, lacks, read_lines
from medsearch.imaging.geometry import Geometry, Spacing, Triple
from medsearch.imaging.image_files import Volume
from medsearch.imaging.registration import REGISTRATION_VERSION, Atlas, Fit, Measure, RegistrationFailed
from medsearch.imaging.resampling import MAJORITY, Image, image_on_grid, mask_on_grid
from medsearch.imaging.volumes import read_volume

Matrix = NDArray[np.float64]  # (4, 4)

_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
_BLUR = 0.425  # standard deviation of a Gaussian as wide as a box, in box widths


@dataclass(frozen=True, eq=False)
class AtlasCase:
    """The case that others are registered to, and which of its contrasts."""

    subject: str
    contrast: str
    atlas: Atlas

    @staticmethod
    def of(cohort: Cohort, contrast: str) -> "AtlasCase":
        """The first target case by name: a high-resolution image, and the same one whenever the cohort is the same.

        Raises:
            BadInput: the cohort has no case of that contrast.

        """
        for parts in (("target",), ("target", "test", "source", None)):
            found = sorted(case.subject for case in cohort.cases if case.part in parts and contrast in case.images)
            if found:
                case = next(case for case in cohort.cases if case.subject == found[0])
                return AtlasCase(case.subject, contrast, Atlas(read_volume(case.images[contrast])))
        msg = f"cohort {cohort.name} in {cohort.root} has no {contrast} image to serve as an atlas; add one"
        raise BadInput(msg)

    def registered(self, case: Case) -> Fit:
        """How the atlas lies in the case.

        Raises:
            RegistrationFailed: it cannot be told.

        """
        if case.subject == self.subject:
            return Fit(np.eye(4), 1.0, 1.0)
        contrast = self.contrast if self.contrast in case.images else next(iter(case.images))
        measure: Measure = "correlation" if contrast == self.contrast else "information"
        return self.atlas.register(read_volume(case.images[contrast]), measure)

    def midplane(self) -> tuple[Matrix, Matrix]:
        """The normal of the mid-sagittal plane, to the patient's left, and a point on it, mm."""
        volume = self.atlas.volume
        mirrored = Volume(volume.array, _MIRROR @ volume.affine, volume.path)
        try:
            reflection = _MIRROR @ self.atlas.register(mirrored, "correlation").matrix
        except RegistrationFailed as error:
            where = f"case {self.subject}: {volume.path} cannot be laid on its mirror image"
            msg = f"{where}: {error}; look at it, or exclude it"
            raise BadInput(msg) from error
        values, vectors = np.linalg.eig(reflection[:3, :3])
        normal = np.real(vectors[:, np.argmin(np.abs(values + 1))])
        normal = normal / np.linalg.norm(normal) * -np.sign(normal[0])
        middle = _world(volume.affine, (np.array(volume.array.shape) - 1) / 2)
        return normal, (middle + _world(reflection, middle)) / 2


@dataclass(frozen=True, eq=False)
class Block:
    """The grid that all cases are brought to: `shape` (z, y, x) voxels, `affine` from (x, y, z) to the atlas's mm."""

    shape: Triple
    affine: Matrix

    @staticmethod
    def of(atlas: AtlasCase, geometry: Geometry, tumours: Sequence[Matrix]) -> "Block":
        """The block of `geometry` about the mean of `tumours` (points in the atlas's mm), moved onto the midplane."""
        left, middle = atlas.midplane()
        up = np.array([0.0, 0.0, 1.0])
        up = up - left * (up @ left)
        up = up / np.linalg.norm(up)
        centre = np.mean(tumours, axis=0) if len(tumours) else middle
        centre = centre - left * ((centre - middle) @ left)
        deep, high, wide = geometry.depth[1], geometry.slice_size, geometry.slice_size
        z, y, x = geometry.spacing
        affine = np.eye(4)
        affine[:3, :3] = np.stack([left * x, np.cross(up, left) * y, up * z], axis=1)
        affine[:3, 3] = centre - affine[:3, :3] @ ((np.array([wide, high, deep]) - 1) / 2)
        return Block((deep, high, wide), affine)

    def image(self, volume: Volume, registered: Matrix) -> Image:
        """A case's image in the block, averaged to its voxels; what the image does not cover is 0.

        Nothing is skull-stripped, so `brain` is all that was scanned.
        """
        values = self._resampled(volume, registered, volume.array.astype(np.float32))
        covered = self._resampled(volume, registered, np.ones(volume.array.shape, np.float32)) >= MAJORITY
        return Image(np.where(covered, values, 0), covered & (values != 0))

    def mask(self, volume: Volume, registered: Matrix, tumour: Sequence[int]) -> NDArray[np.uint8]:
        """The labels `tumour` by majority: (Z, Y, X) of 0 and 1."""
        marked = np.isin(np.rint(volume.array), tumour).astype(np.float32)
        return (self._resampled(volume, registered, marked) >= MAJORITY).astype(np.uint8)

    def _resampled(self, volume: Volume, registered: Matrix, values: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.ndimage import affine_transform, gaussian_filter

        steps = np.linalg.inv(volume.affine) @ registered @ self.affine
        wider = np.linalg.norm(steps[:3, :3], axis=1)  # voxels of the file along each of its axes, per new voxel
        blurred = gaussian_filter(values, _BLUR * np.sqrt(np.maximum(wider**2 - 1, 0)), mode="nearest")
        output = self.shape[::-1]
        resampled = affine_transform(blurred, steps[:3, :3], steps[:3, 3], output_shape=output, order=1, cval=0.0)
        return np.ascontiguousarray(resampled.T, dtype=np.float32)


def centroid(case: Case, registered: Matrix, tumour: Sequence[int]) -> Matrix | None:
    """Where the case's tumour lies in the atlas, mm; None without a mask, or with an empty one."""
    if case.mask is None:
        return None
    volume = read_volume(case.mask)
    voxels = np.argwhere(np.isin(np.rint(volume.array), tumour))
    if not len(voxels):
        return None
    return _world(np.linalg.inv(registered) @ volume.affine, voxels.mean(axis=0))


def _world(affine: Matrix, point: Any) -> Matrix:
    moved: Matrix = affine[:3, :3] @ np.asarray(point, dtype=np.float64) + affine[:3, 3]
    return moved


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
    fits: Mapping[str, Fit]
    """By subject, how the atlas lies in the case."""

    @staticmethod
    def of(cohort: Cohort, kind: TumourLayout, geometry: Geometry, *, memory: Path) -> "Registered":
        """Registers all cases; the block is centred on the source's tumours.

        Raises:
            BadInput: cases cannot be registered; the message names them all, and why the first cannot.

        """
        atlas = AtlasCase.of(cohort, str(kind.atlas))
        fits = _registered(cohort, atlas, memory)
        sources = [case for case in cohort.cases if case.part == "source"]
        found = [centroid(case, fits[case.subject].matrix, kind.tumour) for case in sources]
        return Registered(kind, atlas, Block.of(atlas, geometry, [at for at in found if at is not None]), fits)

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
        fit = self.fits[case.subject]
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


def _registered(cohort: Cohort, atlas: AtlasCase, memory: Path) -> dict[str, Fit]:
    """How every case lies; what was found before, at another scale or before an interruption, is not sought again."""
    lines = read_lines(memory, fault=_line_fault)
    known = {line["subject"]: line for line in lines if line["version"] == REGISTRATION_VERSION}
    writing, failed = Lock(), dict[str, str]()

    def one(case: Case) -> Fit | None:
        if case.subject in known:
            line = known[case.subject]
            return Fit(np.array(line["matrix"]), line["likeness"], line["overlap"])
        try:
            fit = atlas.registered(case)
        except RegistrationFailed as error:
            failed[case.subject] = str(error)
            return None
        said = {"matrix": fit.matrix.tolist(), "likeness": fit.likeness, "overlap": fit.overlap}
        with writing:
            append_line(memory, {"version": REGISTRATION_VERSION, "subject": case.subject, **said})
        return fit

    with ThreadPoolExecutor(cores()) as pool:
        fits = zip(cohort.subjects, pool.map(one, cohort.cases), strict=True)
        registered = {subject: fit for subject, fit in fits if fit is not None}
    if failed:
        names = [subject for subject in cohort.subjects if subject in failed]
        msg = (
            f"{', '.join(names)} cannot be laid on the atlas ({atlas.subject}), {names[0]} because "
            f"{failed[names[0]]}; mend the orientation and spacing in its header, or take the case out"
        )
        raise BadInput(msg)
    return registered
