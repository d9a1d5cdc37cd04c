"""Brains with gliomas: anatomy, tumour, the four contrasts that a scanner would show, and their files as in BraTS.

Geometry in mm throughout. A tumour starts in deep white matter, more than 6 mm from the cortex; its surface is a
sphere's plus smooth noise; oedema spreads along white matter and never into fluid; and, two-sided ones apart, nothing
crosses the midline, so that each half of the brain is either diseased or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.layouts.brats import RELEASES
from medsearch.core.seeds import generator
from medsearch.core.spreadsheets import csv_text
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.anatomy import Anatomy, Push
from medsearch.phantoms.fields import SmoothField, inside, level
from medsearch.phantoms.grids import Array, Grid, Point, ball_radius, block_mean, box_affine, brain_grid, into_box
from medsearch.phantoms.signals import Tissue, signal
from medsearch.phantoms.spec import PhantomSpec, each_subject, written
from medsearch.phantoms.templates import label_maps, labelled_head, mni152
from medsearch.phantoms.tissues import NORMAL, TUMOUR, draw_tissues

_PLANNING_SPACING_MM = 3.0
"""Seeds are chosen on this grid whatever the spacing of the files, so that a subject's tumour does not depend on it."""

_CORTEX_MM = 6.0
_VOLUME_ML = (20.0, 150.0)
_MEDIAN_ML, _VOLUME_SD = 70.0, 0.55
_BAND_MM = (-38.0, 48.0)
_SIDE_MM = 60.0
_LOW_GRADE, _TWO_SIDED, _SECOND_FOCUS, _SOLID = 0.2, 0.08, 0.12, 0.1


@dataclass(frozen=True, eq=False)
class Tumour:
    """One subject's tumour. `side`: +1 right, -1 left, 0 both; `rim_mm`: 0 for low grade, infinite without necrosis."""

    foci: tuple[Point, ...]
    side: int
    low_grade: bool
    whole_ml: float
    core_ml: float
    rim_mm: float
    noise: tuple[SmoothField, SmoothField, SmoothField]
    push: Push

    @classmethod
    def draw(cls, anatomy: Anatomy, rng: np.random.Generator) -> "Tumour":
        """A tumour drawn from `rng` for a subject."""
        low_grade, two_sided, second, solid = rng.random(4) < (_LOW_GRADE, _TWO_SIDED, _SECOND_FOCUS, _SOLID)
        whole = float(np.clip(_MEDIAN_ML * np.exp(_VOLUME_SD * rng.standard_normal()), *_VOLUME_ML))
        core = whole * float(rng.uniform(0.55, 0.85) if low_grade else rng.uniform(0.2, 0.6))
        side = 0 if two_sided else int(rng.choice((-1, 1)))
        seeds = _seeds(anatomy, side, ball_radius(core))
        foci = [seeds[rng.integers(len(seeds))]]
        if second:
            apart = np.linalg.norm(seeds - foci[0], axis=1)
            near = seeds[(apart > ball_radius(core)) & (apart < 2.2 * ball_radius(core))]
            foci += [near[rng.integers(len(near))]] if len(near) else []
        rim = 0.0 if low_grade else np.inf if solid else float(rng.uniform(3.0, 5.0))
        noise = (SmoothField.draw(rng, 6.0), SmoothField.draw(rng, 3.0), SmoothField.draw(rng, 8.0))
        points = tuple((float(x), float(y), float(z)) for x, y, z in foci)
        push = Push(points[0], float(rng.uniform(0.05, 0.25)), 1.2 * ball_radius(core))
        return cls(points, side, bool(low_grade), whole, core, rim, noise, push)

    def shares(self, normal: Array, grid: Grid) -> Array:
        """The share of each voxel that is core, oedema and rim: (3, x, y, z), for normal tissue (tissue, x, y, z)."""
        points = grid.points()
        squares = [sum((axis - c) ** 2 for axis, c in zip(points, focus, strict=True)) for focus in self.foci]
        distance = np.sqrt(np.minimum.reduce(np.stack(squares))) + self._barrier(grid)
        wide, narrow, loose = (field.on(grid.axes) for field in self.noise)
        brain, fluid = normal.sum(axis=0), normal[3] + normal[5]
        voxel_ml = grid.spacing**3 / 1000
        core_depth = distance + 3 * wide + narrow
        core = brain * inside(core_depth, level(core_depth, brain, self.core_ml / voxel_ml))
        spread = distance - 10 * normal[0] + 4 * loose
        free = (brain - fluid) * (1 - core)
        oedema = free * inside(spread, level(spread, free, (self.whole_ml - self.core_ml) / voxel_ml))
        necrosis = core
        if not self.low_grade:
            within = float(core_depth[core > 0.5].max(initial=0.0)) - self.rim_mm
            necrosis = core * (inside(core_depth, within) if np.isfinite(self.rim_mm) else 0.0)
        return np.stack([necrosis, oedema, core - necrosis])

    def _barrier(self, grid: Grid) -> Array:
        """Added distance in mm: steep towards the midline (the falx), gentle out of the band of depth and the side."""
        x, y, z = grid.points()
        below, above = np.clip(_BAND_MM[0] - z, 0, None), np.clip(z - _BAND_MM[1], 0, None)
        barrier = 2 * (below + above + np.clip(np.abs(x) - _SIDE_MM, 0, None)) + 0 * y
        if self.side:
            depth = self.side * x
            barrier = barrier + np.where(depth < grid.spacing / 2, np.inf, 4 * np.clip(5 - depth, 0, None))
        return np.asarray(barrier, dtype=np.float32)


def _seeds(anatomy: Anatomy, side: int, radius: float) -> Array:
    """Where a tumour may start: deep white matter with room for a core of `radius` in its half and band; (n, 3), mm."""
    from scipy import ndimage

    grid = brain_grid(_PLANNING_SPACING_MM)
    normal = anatomy.on(grid)
    x, y, z = (np.broadcast_to(axis, grid.shape) for axis in grid.points())
    cortex = (normal[1] > 0.5) | (normal.sum(axis=0) < 0.5)
    deep = ndimage.distance_transform_edt(~cortex, sampling=_PLANNING_SPACING_MM)
    room = min(0.8 * radius, 26.0)
    lateral = side * x if side else 25 - np.abs(x)
    central = (z > _BAND_MM[0] + room) & (z < _BAND_MM[1] - room) & (lateral > max(room, 10.0))
    fit = central & (normal[0] > 0.6) & (deep > _CORTEX_MM)
    if not fit.any():  # an unusual head: the deepest white matter on this side will do
        fit = central & (normal[0] > 0.3)
        fit &= deep >= np.max(deep, where=fit, initial=0.0)
    return np.stack([x[fit], y[fit], z[fit]], axis=1)


CONTRASTS = ("flair", "t1", "t1ce", "t2")

_FINEST_NEEDED_MM = 2.0
"""Partial volumes are computed at this voxel size or the files' own, if finer, and averaged into the files' voxels."""
_BIAS_SIGMA_MM, _BIAS_SD = 45.0, (0.02, 0.07)
_SIGNAL_TO_NOISE = (25.0, 45.0)
_WHITE_MATTER_VALUE, _GAIN_SD = 500.0, 0.25
_INVERSION_MS, _INVERSION_SD_MS = 2500.0, 25.0


@dataclass(frozen=True, eq=False)
class PhantomSubject:
    """What is known of a subject: `shares` (tissue, x, y, z) of each voxel in the order of `tissues`, images, mask.

    Images are int16, zero outside the brain and positive inside; the mask holds BraTS's labels; all on `grid`.
    `grade`: "HGG", "LGG", or "none" without a tumour.
    """

    grade: str
    grid: Grid
    tissues: Mapping[str, Tissue]
    shares: Array
    images: Mapping[str, npt.NDArray[np.int16]]
    mask: npt.NDArray[np.uint8]


def phantom_subject(spec: PhantomSpec, number: int) -> PhantomSubject:
    """Subject `number` (from 0) of a phantom cohort: the same one in every cohort of that seed, at every spacing."""
    heads = [] if spec.anatomy is None else label_maps(Path(spec.anatomy))
    template = labelled_head(heads[number % len(heads)]) if heads else mni152()
    anatomy = Anatomy.draw(template, generator(spec.seed, "phantom", number, "anatomy"))
    healthy = number >= spec.cases - spec.healthy
    tumour = None if healthy else Tumour.draw(anatomy, generator(spec.seed, "phantom", number, "tumour"))
    tissues = draw_tissues(generator(spec.seed, "phantom", number, "tissues"))
    grid = brain_grid(spec.spacing)
    shares = _shares(anatomy, tumour, grid)
    images = {}
    for contrast in CONTRASTS:
        rng = generator(spec.seed, "phantom", number, contrast)
        images[contrast] = _image(contrast, tissues, shares, grid=grid, rng=rng)
    grown, labels = shares[len(NORMAL) :], np.array(list(TUMOUR.values()), dtype=np.uint8)
    # Where most of the voxel is tumour its largest part decides which.
    mask = np.where(grown.sum(axis=0) > 0.5, labels[grown.argmax(axis=0)], 0).astype(np.uint8)
    grade = "none" if tumour is None else "LGG" if tumour.low_grade else "HGG"
    return PhantomSubject(grade, grid, tissues, shares, images, mask)


def _shares(anatomy: Anatomy, tumour: Tumour | None, grid: Grid) -> Array:
    """The share of each tissue in each voxel: (normal tissues and tumour, x, y, z); one in sum in the brain, else 0."""
    factor = int(np.ceil(grid.spacing / _FINEST_NEEDED_MM))
    finer = grid.finer(factor)
    normal = anatomy.on(finer, None if tumour is None else tumour.push)
    grown = np.zeros((len(TUMOUR), *finer.shape), np.float32) if tumour is None else tumour.shares(normal, finer)
    core = grown[0] + grown[2]
    solid = np.ones(len(NORMAL), dtype=bool)
    solid[[NORMAL.index("fluid"), NORMAL.index("choroid plexus")]] = False
    room = np.where(solid[:, None, None, None], normal, 0).sum(axis=0) * (1 - core)
    kept = 1 - np.divide(grown[1], room, out=np.zeros_like(room), where=room > 0)
    normal = normal * (1 - core) * np.where(solid[:, None, None, None], kept, 1)
    shares = block_mean(np.concatenate([normal, grown]), factor)
    total = shares.sum(axis=0)
    return np.where(total >= 0.5, shares / np.maximum(total, 0.5), 0).astype(np.float32)


def _image(
    contrast: str, tissues: Mapping[str, Tissue], shares: Array, *, grid: Grid, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """What a scanner shows: signal, bias field, Rician noise, gain; then the skull is stripped."""
    inversion = _INVERSION_MS + _INVERSION_SD_MS * float(rng.standard_normal())
    signals = np.array(
        [signal(contrast, tissues[name], inversion=inversion) for name in (*NORMAL, *TUMOUR)], dtype=np.float32
    )
    clean = np.einsum("t,txyz->xyz", signals, shares)
    bias = SmoothField.draw(rng, _BIAS_SIGMA_MM, rng.uniform(*_BIAS_SD)).on(grid.axes)
    noise_sd = np.float32(signals[0] / rng.uniform(*_SIGNAL_TO_NOISE))
    real, imaginary = noise_sd * rng.standard_normal((2, *grid.shape), dtype=np.float32)
    noisy = np.hypot(clean * np.exp(bias) + real, imaginary)
    gain = _WHITE_MATTER_VALUE / signals[0] * np.exp(_GAIN_SD * rng.standard_normal())
    return np.where(shares.sum(axis=0) > 0, np.clip((gain * noisy).round(), 1, 32767), 0).astype(np.int16)


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


def subject_name(number: int, layout: str) -> str:
    """The identifier of subject `number` (from 0)."""
    return SUBJECTS[layout].format(number + 1)


def _write(spec: PhantomSpec, folder: Path) -> None:
    grades = each_subject(spec, lambda number: _write_subject(spec, number, folder))
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
