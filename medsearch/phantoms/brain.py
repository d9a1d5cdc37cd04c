"""One phantom subject: anatomy, tumour, and the four contrasts that a scanner would show."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsearch.core.seeds import generator
from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array, Grid, block_mean, brain_grid
from medsearch.phantoms.signals import Tissue, signal
from medsearch.phantoms.spec import PhantomSpec
from medsearch.phantoms.templates import Template, label_maps, labelled_head, mni152
from medsearch.phantoms.tissues import NORMAL, TUMOUR, draw_tissues
from medsearch.phantoms.tumours import Tumour

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
    anatomy = Anatomy.draw(_template(spec, number), generator(spec.seed, "phantom", number, "anatomy"))
    healthy = number >= spec.cases - spec.healthy
    tumour = None if healthy else Tumour.draw(anatomy, generator(spec.seed, "phantom", number, "tumour"))
    tissues = draw_tissues(generator(spec.seed, "phantom", number, "tissues"))
    grid = brain_grid(spec.spacing)
    shares = _shares(anatomy, tumour, grid)
    scanner = _Scanner(grid, tissues, shares)
    images = {
        contrast: scanner.image(contrast, generator(spec.seed, "phantom", number, contrast)) for contrast in CONTRASTS
    }
    grade = "none" if tumour is None else "LGG" if tumour.low_grade else "HGG"
    return PhantomSubject(grade, grid, tissues, shares, images, _mask(shares))


def template_order(spec: PhantomSpec) -> list[int]:
    """The subjects' numbers, those of one template together."""
    heads = 1 if spec.anatomy is None else len(label_maps(Path(spec.anatomy)))
    return sorted(range(spec.cases), key=lambda number: (number % heads, number))


def _template(spec: PhantomSpec, number: int) -> Template:
    if spec.anatomy is None:
        return mni152()
    heads = label_maps(Path(spec.anatomy))
    return labelled_head(heads[number % len(heads)])


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


def _mask(shares: Array) -> npt.NDArray[np.uint8]:
    """BraTS labels where most of the voxel is tumour: its largest part decides which."""
    grown = shares[len(NORMAL) :]
    labels = np.array(list(TUMOUR.values()), dtype=np.uint8)
    return np.where(grown.sum(axis=0) > 0.5, labels[grown.argmax(axis=0)], 0).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Scanner:
    """Turns tissue into images: signal, bias field, Rician noise, gain; then the skull is stripped."""

    grid: Grid
    tissues: Mapping[str, Tissue]
    shares: Array

    def image(self, contrast: str, rng: np.random.Generator) -> npt.NDArray[np.int16]:
        inversion = _INVERSION_MS + _INVERSION_SD_MS * float(rng.standard_normal())
        signals = np.array(
            [signal(contrast, self.tissues[name], inversion=inversion) for name in (*NORMAL, *TUMOUR)],
            dtype=np.float32,
        )
        clean = np.einsum("t,txyz->xyz", signals, self.shares)
        bias = SmoothField.draw(rng, _BIAS_SIGMA_MM, rng.uniform(*_BIAS_SD)).on(self.grid.axes)
        noise_sd = np.float32(signals[0] / rng.uniform(*_SIGNAL_TO_NOISE))
        real, imaginary = noise_sd * rng.standard_normal((2, *self.grid.shape), dtype=np.float32)
        noisy = np.hypot(clean * np.exp(bias) + real, imaginary)
        gain = _WHITE_MATTER_VALUE / signals[0] * np.exp(_GAIN_SD * rng.standard_normal())
        inside = self.shares.sum(axis=0) > 0
        return np.where(inside, np.clip((gain * noisy).round(), 1, 32767), 0).astype(np.int16)
