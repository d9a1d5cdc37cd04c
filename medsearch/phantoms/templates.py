"""Templates: whose brain or head is deformed. MNI152 by default, or a folder of label maps like SynthSeg's.

A template holds partial volumes of the normal tissues, and where they lie in head coordinates: of a brain alone, or of
a whole head around the posterior fossa. MNI152 comes without its skull, so one is put around it: cisterns where the
surface of the brain is closed over, bone outside them, the petrous bones and what lies in front as simple bodies,
muscle and fat to the skin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.imaging.image_files import visible
from medsearch.imaging.volumes import read_volume
from medsearch.phantoms.grids import Array
from medsearch.phantoms.tissues import HEAD, NORMAL

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
    voxels = (np.argwhere(np.isin(labels, numbers)).mean(axis=0) for numbers in _LANDMARKS)
    right, left, thalamus, caudate = (affine[:3, :3] @ voxel + affine[:3, 3] for voxel in voxels)
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


TOP_MM, BOTTOM_MM = 45.0, -100.0
"""The part of the head that is kept, head coordinates: the slabs of both centres lie within, in any pose."""

_OUTER_LABELS = {
    "white matter": (512, 530),
    "fluid": (506,),
    "vessel": (502, 514),
    "bone": (515,),
    "marrow": (516,),
    "muscle": (507, 508),
    "fat": (511,),
    "mucosa": (509,),
}
"""SynthSeg's numbers outside the brain; vitreous counts as fluid, cord and optic nerve as white matter."""
_SUBCUTANEOUS_MM = 4.0

_CLOSING_MM, _SUBARACHNOID_MM = 9.0, 2.0
_TABLES_MM, _DIPLOE_MM = 8.0, (3.0, 6.0)
_SCALP_MM, _SKIN_FAT_MM = 11.0, 4.0
_FOSSA_BELOW_MM, _FOSSA_BEHIND_MM, _FOSSA_SLOPE = -22.0, -10.0, 0.6
"""Behind this line, ever further back to the sides, lies the posterior fossa; in front the temporal lobes."""


class _Body(NamedTuple):
    """An ellipsoid of one tissue, or of air, and its mirror image; centre and radii in mm of MNI152."""

    tissue: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


_BODIES = (
    _Body("bone", (14, -12, -44), (14, 12, 18)),  # clivus and petrous apex
    _Body("bone", (32, -24, -40), (20, 13, 11)),  # petrous bone
    _Body("bone", (52, -36, -42), (15, 17, 15)),  # mastoid
    _Body("marrow", (18, -8, -44), (7, 5, 8)),
    _Body("fluid", (19, -26, -38), (12, 9, 12)),  # cerebellopontine cistern
    _Body("fluid", (0, -10, -38), (13, 6, 16)),  # prepontine cistern
    _Body("air", (54, -38, -46), (8, 10, 10)),
    _Body("air", (60, -24, -46), (14, 4, 4)),  # auditory canal
    _Body("vessel", (51, -46, -42), (5, 6, 14)),  # sigmoid sinus
    _Body("vessel", (40, -76, -28), (22, 10, 4)),  # transverse sinus
    _Body("vessel", (24, -8, -50), (4, 4, 16)),  # carotid artery
    _Body("vessel", (0, -15, -36), (2, 2, 16)),  # basilar artery
    _Body("fat", (32, 44, -38), (18, 26, 17)),  # orbit
    _Body("fluid", (33, 58, -38), (12, 12, 12)),  # eye
    _Body("muscle", (44, 26, -60), (15, 26, 22)),
    _Body("mucosa", (0, 44, -56), (18, 38, 26)),
    _Body("air", (8, 44, -56), (6, 34, 22)),  # nose
    _Body("mucosa", (30, 44, -66), (16, 17, 17)),
    _Body("air", (30, 44, -66), (14, 15, 15)),  # maxillary sinus
    _Body("mucosa", (0, 10, -36), (15, 14, 11)),
    _Body("air", (0, 10, -36), (13, 12, 9)),  # sphenoid sinus
    _Body("air", (0, 4, -76), (14, 10, 18)),  # pharynx
)


@cache
def mni152_head() -> Template:
    """MNI152 in a head: partial volumes in the order of `HEAD`, 1 mm; what is not full is air."""
    brain = mni152()
    to_mm = np.linalg.inv(brain.to_voxels)
    below = int(to_mm[2, 3] - BOTTOM_MM / brain.scale)
    kept = brain.partial_volumes[..., : int(TOP_MM / brain.scale - to_mm[2, 3])]
    maps = np.zeros((len(HEAD), *kept.shape[1:3], kept.shape[3] + below), np.uint8)
    maps[: len(NORMAL), ..., below:] = kept
    to_mm[2, 3] -= below
    axes = [to_mm[axis, axis] * np.arange(size) + to_mm[axis, 3] for axis, size in enumerate(maps.shape[1:])]
    inside = maps.sum(axis=0, dtype=np.uint16) > 127
    labels = _around(inside, axes)
    around = [number for number in range(len(HEAD)) if (labels == number + 1).any()]
    _add(maps, around, softened(labels, [(number + 1,) for number in around]))
    return Template(maps, np.asarray(np.linalg.inv(to_mm)), brain.scale, blurred=True)


@lru_cache(maxsize=2)
def whole_labelled_head(path: Path) -> Template:
    """A whole head from one label map, levelled as `labelled_head` does: in the order of `HEAD`, the rest air.

    Raises:
        BadInput: the file cannot be read, or does not label a brain.
    """
    from scipy import ndimage

    labels, to_head = levelled(path)
    where = np.argwhere(labels > 0)
    height = where @ to_head[2, :3] + to_head[2, 3]
    where = where[(height > BOTTOM_MM) & (height < TOP_MM)]
    window = tuple(slice(max(0, a - 2), b + 3) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True))
    to_voxels = np.asarray(np.linalg.inv(to_head), dtype=np.float64)
    to_voxels[:3, 3] -= [part.start for part in window]
    labels = labels[window]
    near_skin = ndimage.distance_transform_edt(~np.isin(labels, (0, *_OUTER_LABELS["fat"]))) < _SUBCUTANEOUS_MM
    labels = np.where(near_skin & (labels == _OUTER_LABELS["muscle"][0]), _OUTER_LABELS["fat"][0], labels)
    maps = np.zeros((len(HEAD), *labels.shape), np.uint8)
    numbers = [(*LABELS.get(tissue, ()), *_OUTER_LABELS.get(tissue, ())) for tissue in HEAD]
    _add(maps, range(len(HEAD)), softened(labels, numbers))
    return Template(maps, to_voxels, scale=1.0, blurred=False)


def _around(inside: npt.NDArray[np.bool_], axes: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.int16]:
    """Everything but the brain: the place in `HEAD` of each voxel's tissue plus one, 0 for air."""
    number = {tissue: place + 1 for place, tissue in enumerate(HEAD)} | {"air": 0}
    away = _distance(inside | _cisterns(inside, axes)) - _SUBARACHNOID_MM
    silhouette = np.flip(np.logical_or.accumulate(np.flip(away <= 0, axis=2), axis=2), axis=2)
    scalp = _distance(silhouette, flat=True)
    head = scalp <= _SCALP_MM
    labels = np.where(head, number["muscle"], 0).astype(np.int16)
    labels[head & (scalp > _SCALP_MM - _SKIN_FAT_MM)] = number["fat"]
    labels[(away > 0) & (away <= _TABLES_MM)] = number["bone"]
    labels[(away > _DIPLOE_MM[0]) & (away <= _DIPLOE_MM[1])] = number["marrow"]
    x, y, z = np.ix_(*axes)
    for body in _BODIES:
        centre, radii = body.centre, body.radii
        part = ((np.abs(x) - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
        labels[head & (part + ((z - centre[2]) / radii[2]) ** 2 < 1)] = number[body.tissue]
    vessels = labels == number["vessel"]
    labels[(away <= 0) & ~vessels] = number["fluid"]
    return np.where(inside, -1, labels).astype(np.int16)


def _cisterns(inside: npt.NDArray[np.bool_], axes: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """The posterior fossa closed over: what lies in the angles between its parts."""
    x, y, z = np.ix_(*axes)
    fossa = inside & (z < _FOSSA_BELOW_MM) & (y < _FOSSA_BEHIND_MM - _FOSSA_SLOPE * np.abs(x))
    grown = _distance(fossa) <= _CLOSING_MM
    closed: npt.NDArray[np.bool_] = _distance(~grown) > _CLOSING_MM
    return closed


def _distance(mask: npt.NDArray[np.bool_], *, flat: bool = False) -> Array:
    """How far each voxel is from `mask`, voxels, looked at every second one; `flat`: each slice for itself."""
    from scipy import ndimage

    coarse = ndimage.distance_transform_edt(~mask[::2, ::2, ::2], sampling=(2.0, 2.0, 1e3 if flat else 2.0))
    places = [np.minimum(np.arange(size) / 2, half - 1) for size, half in zip(mask.shape, coarse.shape, strict=True)]
    for axis, place in enumerate(places):
        low = place.astype(np.intp)
        high, shape = np.minimum(low + 1, coarse.shape[axis] - 1), [1, 1, 1]
        shape[axis] = -1
        share = (place - low).reshape(shape).astype(np.float32)
        coarse = np.take(coarse, low, axis) * (1 - share) + np.take(coarse, high, axis) * share
    return np.asarray(coarse, dtype=np.float32)


def _add(maps: npt.NDArray[np.uint8], places: Iterable[int], soft: Array) -> None:
    """Fill what is free in `maps` (tissue, x, y, z) with the shares in `soft`, of the tissues `places`, in place."""
    free = 255 - maps.sum(axis=0, dtype=np.float32)
    for place, share in zip(places, soft, strict=True):
        maps[place] += np.floor(free * share + 0.4).astype(np.uint8)
