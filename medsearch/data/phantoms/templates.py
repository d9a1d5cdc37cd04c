"""Templates: whose brain is deformed. MNI152 by default, or a folder of label maps like SynthSeg's.

A template holds partial volumes of the normal tissues, and where they lie in head coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.data.phantoms.grids import Array
from medsearch.data.phantoms.tissues import NORMAL
from medsearch.data.volumes import read_volume

MNI_SCALE = 0.92
"""MNI152 is larger than most brains (1.88 l); scaled by this, it has the usual 1.47 l."""

_DEEP_CENTRE_MM, _DEEP_RADII_MM = (0.0, -5.0, 5.0), (33.0, 32.0, 20.0)
_EDGE_SIGMA_VOXELS = 0.6

_LABELS = {
    "white matter": (2, 41, 7, 46, 16, 28, 60, 85),
    "grey matter": (3, 42, 8, 47, 17, 53, 18, 54),
    "deep grey matter": (10, 49, 11, 50, 12, 51, 13, 52, 26, 58),
    "fluid": (4, 43, 5, 44, 14, 15, 24, 72),
    "vessel": (30, 62),
    "choroid plexus": (136, 137, 163, 164),
    "lesion": (25, 57),
}
"""FreeSurfer's numbers, as SynthSeg's training maps use them (Billot et al., MedIA 2023); the rest is no brain."""
_RIGHT, _LEFT, _CEREBRUM = (41, 42), (2, 3), (2, 3, 41, 42)
_TOP_MM = 72.0
_FRONT_BACK_MM = -16.5


@dataclass(frozen=True, eq=False)
class Template:
    """Partial volumes (tissue, x, y, z) in the order of `NORMAL`, as bytes: 255 in sum inside the brain, else 0.

    `to_voxels` (4, 4) takes head coordinates in mm to voxel indices; `scale` is the usual brain's size over the
    template's; `blurred`: an average of many brains, to be sharpened into one.
    """

    partial_volumes: npt.NDArray[np.uint8]
    to_voxels: npt.NDArray[np.float64]
    scale: float
    blurred: bool


@cache
def mni152() -> Template:
    """The tissue maps of MNI152 that nilearn carries, at 1 mm; fluid is what is neither grey nor white matter."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template

    images = [load(resolution=1) for load in (load_mni152_wm_template, load_mni152_gm_template, load_mni152_brain_mask)]
    white, grey, brain = (np.asarray(image.dataobj, dtype=np.float32) for image in images)
    to_voxels = np.linalg.inv(np.asarray(images[0].affine, dtype=np.float64))
    inside = brain > 0
    deep = grey * _deep_share(grey.shape, images[0].affine)
    maps = np.zeros((len(NORMAL), *grey.shape), dtype=np.float32)
    maps[0], maps[1], maps[2] = white, grey - deep, deep
    maps *= inside
    maps[3] = np.clip(1 - maps.sum(axis=0), 0, 1) * inside
    return Template(_as_bytes(maps), to_voxels, MNI_SCALE, blurred=True)


def _as_bytes(maps: Array) -> npt.NDArray[np.uint8]:
    return np.asarray((255 * maps).round(), dtype=np.uint8)


def _deep_share(shape: tuple[int, ...], affine: npt.NDArray[np.float64]) -> Array:
    """How much of the grey matter is deep: an ellipsoid around thalamus, striatum and pallidum, with a soft edge."""
    radius = np.zeros(shape, dtype=np.float32)
    for axis, (centre, reach) in enumerate(zip(_DEEP_CENTRE_MM, _DEEP_RADII_MM, strict=True)):
        position = affine[axis, axis] * np.arange(shape[axis]) + affine[axis, 3]
        radius += (((position - centre) / reach) ** 2).reshape([-1 if other == axis else 1 for other in range(3)])
    return np.clip((1.1 - np.sqrt(radius)) / 0.2, 0, 1).astype(np.float32)


def label_maps(folder: Path) -> Sequence[Path]:
    """The label maps (*.nii.gz) in a folder, by name.

    Raises:
        BadInput: there are none.
    """
    paths = sorted(folder.glob("*.nii.gz"))
    if not paths:
        msg = f"{folder}: holds no label map (*.nii.gz); give a folder of whole-head label maps such as SynthSeg's"
        raise BadInput(msg)
    return paths


@lru_cache(maxsize=2)
def labelled_head(path: Path) -> Template:
    """A template from one label map: the brain is levelled by its hemispheres and put where MNI152's would be.

    Raises:
        BadInput: the file cannot be read, or does not label a brain.
    """
    volume = read_volume(path)
    labels = volume.array.round().astype(np.int16)
    where = np.argwhere(np.isin(labels, [number for numbers in _LABELS.values() for number in numbers]))
    if not all(np.isin(labels, hemisphere).any() for hemisphere in (_RIGHT, _LEFT)):
        msg = f"{path}: labels no cerebrum (2, 3, 41, 42); give label maps with FreeSurfer's numbers"
        raise BadInput(msg)
    window = tuple(slice(max(0, a - 3), b + 4) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True))
    to_voxels: npt.NDArray[np.float64] = np.linalg.inv(_to_head(labels, volume.affine))
    to_voxels[:3, 3] -= [part.start for part in window]
    return Template(_one_hot(labels[window]), to_voxels, scale=1.0, blurred=False)


def _one_hot(labels: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    from scipy import ndimage

    maps = np.zeros((len(NORMAL), *labels.shape), dtype=np.float32)
    for number, tissue in enumerate(NORMAL):
        ndimage.gaussian_filter(np.isin(labels, _LABELS[tissue]).astype(np.float32), _EDGE_SIGMA_VOXELS, maps[number])
    total = maps.sum(axis=0)
    return _as_bytes(np.where(total >= 0.5, maps / np.maximum(total, 0.5), 0))


def _to_head(labels: npt.NDArray[np.int16], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Voxels to head coordinates: a turn that levels the line between the hemispheres, and a shift."""
    right, left = (_centroid(labels, affine, numbers) for numbers in (_RIGHT, _LEFT))
    x_axis = (right - left) / np.linalg.norm(right - left)
    y_axis = np.array([0.0, 1.0, 0.0]) - x_axis[1] * x_axis
    y_axis /= np.linalg.norm(y_axis)
    turn = np.eye(4)
    turn[:3, :3] = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)])
    to_head = turn @ affine
    cerebrum = np.argwhere(np.isin(labels, _CEREBRUM))[::7] @ to_head[:3, :3].T + to_head[:3, 3]
    low, high = np.percentile(cerebrum, 0.05, axis=0), np.percentile(cerebrum, 99.95, axis=0)
    middle = turn[:3, :3] @ ((right + left) / 2)
    to_head[:3, 3] -= [middle[0], (low[1] + high[1]) / 2 - _FRONT_BACK_MM, high[2] - _TOP_MM]
    return to_head


def _centroid(
    labels: npt.NDArray[np.int16], affine: npt.NDArray[np.float64], numbers: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    voxel = np.argwhere(np.isin(labels, numbers)).mean(axis=0)
    return np.asarray(affine[:3, :3] @ voxel + affine[:3, 3])
