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
from medsearch.imaging.image_files import visible
from medsearch.imaging.volumes import read_volume
from medsearch.phantoms.grids import Array
from medsearch.phantoms.tissues import NORMAL

MNI_SCALE = 0.92
"""MNI152 is larger than most brains (1.88 l); scaled by this, it has the usual 1.47 l."""

_DEEP_CENTRE_MM, _DEEP_RADII_MM = (0.0, -5.0, 5.0), (33.0, 32.0, 20.0)
_EDGE_SIGMA_VOXELS = 0.6

LABELS = {
    "white matter": (2, 41, 7, 46, 16, 28, 60, 85),
    "grey matter": (3, 42, 8, 47, 17, 53, 18, 54),
    "deep grey matter": (10, 49, 11, 50, 12, 51, 13, 52, 26, 58),
    "fluid": (4, 43, 5, 44, 14, 15, 24, 72),
    "vessel": (30, 62),
    "choroid plexus": (136, 137, 163, 164),
    "lesion": (25, 57),
}
"""FreeSurfer's numbers, as SynthSeg's training maps use them (Billot et al., MedIA 2023); the rest is no brain."""
_LANDMARKS = (41, 42), (2, 3), (10, 49), (11, 50)
"""Right and left cerebrum, thalami, caudates."""
_NUCLEI_MM, _NUCLEI_PITCH = (0.0, -5.0, 7.1), np.deg2rad(5.3)
"""Where the middle of thalami and caudates lies in a head of usual size, and how steeply the line between them rises
(their centroids in MNI152: y -19 and 8, z 6.5 and 9)."""


@dataclass(frozen=True, eq=False)
class Template:
    """Partial volumes (tissue, x, y, z) as bytes, 255 in sum inside and 0 outside: of a brain in the order of `NORMAL`.

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
    to_voxels = np.asarray(np.linalg.inv(images[0].affine), dtype=np.float64)
    inside = brain > 0
    deep = grey * _deep_share(grey.shape, images[0].affine)
    maps = np.zeros((len(NORMAL), *grey.shape), dtype=np.uint8)
    for number, share in enumerate((white, grey - deep, deep, np.clip(1 - white - grey, 0, 1))):
        np.rint(255 * share * inside, out=maps[number], casting="unsafe")
    return Template(maps, to_voxels, MNI_SCALE, blurred=True)


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
    paths = [path for path in visible(folder) if path.name.endswith(".nii.gz")] if folder.is_dir() else []
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
    labels, to_head = levelled(path)
    where = np.argwhere(np.isin(labels, [number for numbers in LABELS.values() for number in numbers]))
    window = tuple(slice(max(0, a - 3), b + 4) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True))
    to_voxels = np.asarray(np.linalg.inv(to_head), dtype=np.float64)
    to_voxels[:3, 3] -= [part.start for part in window]
    return Template(_one_hot(labels[window]), to_voxels, scale=1.0, blurred=False)


def levelled(path: Path) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64]]:
    """The labels of a file (x, y, z), and the matrix (4, 4) from its voxels to head coordinates in mm.

    Raises:
        BadInput: the file cannot be read, or does not label a brain.
    """
    volume = read_volume(path)
    labels = volume.array.round().astype(np.int16)
    if not all(np.isin(labels, numbers).any() for numbers in _LANDMARKS):
        msg = f"{path}: lacks one of the labels {_LANDMARKS}; give label maps with FreeSurfer's numbers"
        raise BadInput(msg)
    return labels, _to_head(labels, volume.affine)


def softened(labels: npt.NDArray[np.int16], tissues: Sequence[tuple[int, ...]]) -> Array:
    """Label maps to shares with soft edges: (tissue, x, y, z), for the labels that make up each tissue."""
    from scipy import ndimage

    soft = np.zeros((len(tissues), *labels.shape), dtype=np.float32)
    for number, numbers in enumerate(tissues):
        alone = np.isin(labels, numbers).astype(np.float32)
        ndimage.gaussian_filter(alone, _EDGE_SIGMA_VOXELS, output=soft[number])
    return soft


def _one_hot(labels: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    from scipy import ndimage

    soft = softened(labels, [LABELS[tissue] for tissue in NORMAL])
    total = soft.sum(axis=0)
    parts, _ = ndimage.label(total >= 0.5)
    brain = parts == np.bincount(parts[parts > 0]).argmax()  # what is labelled apart from it, vessels say, is no brain
    scale = np.where(brain, 255 / np.maximum(total, 0.5), 0)
    return np.asarray(np.rint(soft * scale), dtype=np.uint8)


def _to_head(labels: npt.NDArray[np.int16], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Voxels to head coordinates, by landmarks: the line between the hemispheres, and where the deep nuclei lie."""
    right, left, thalamus, caudate = (_centroid(labels, affine, numbers) for numbers in _LANDMARKS)
    x_axis = _unit(right - left)
    forward = _unit(caudate - thalamus - np.dot(caudate - thalamus, x_axis) * x_axis)
    upward = np.cross(x_axis, forward)
    y_axis = np.cos(_NUCLEI_PITCH) * forward - np.sin(_NUCLEI_PITCH) * upward
    turn = np.eye(4)
    turn[:3, :3] = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)])
    to_head = turn @ affine
    middle = turn[:3, :3] @ np.stack([(right + left) / 2, (thalamus + caudate) / 2, (thalamus + caudate) / 2], axis=1)
    to_head[:3, 3] += np.array(_NUCLEI_MM) - np.diag(middle)
    return to_head


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def _centroid(
    labels: npt.NDArray[np.int16], affine: npt.NDArray[np.float64], numbers: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    voxel = np.argwhere(np.isin(labels, numbers)).mean(axis=0)
    return np.asarray(affine[:3, :3] @ voxel + affine[:3, 3])
