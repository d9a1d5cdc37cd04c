"""What a network trains on: axial slices of whole volumes, patches of half a brain, and axial slices of those.

Patches are cut from memory-mapped volumes when they are asked for, and only then turned to float32; no volume is kept.
Slices of whole hemispheres are diseased or healthy by how much of the brain is tumour (the thesis, 4.4.1).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.views import Domain, SplitName, TaskView
from medsearch.core.ranges import Fraction
from medsearch.core.recipes import recipe
from medsearch.imaging.geometry import Box, Geometry, Shape, half_starts, halves, padded_slices

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Volume = NDArray[np.floating[Any]]

LEAST_BRAIN = 0.25
"""Share of a half's axial slice that must be brain for a network that sees slices (released code of M-GenSeg)."""


@dataclass(frozen=True, kw_only=True)
class SubjectVolumes:
    """What patches are cut from, by subject: volumes (Z, Y, X), masks or None where they may not be seen, brain boxes.

    `presence` tells whether there is tumour at low and at high x, `tumour_areas` how many voxels in each slice (2, Z).
    """

    subjects: tuple[str, ...]
    image: Callable[[str], Volume]
    mask: Callable[[str], Mask | None]
    presence: Callable[[str], tuple[bool, bool]]
    tumour_areas: Callable[[str], NDArray[np.integer[Any]]]
    box: Callable[[str], Box]
    geometry: Geometry


@dataclass(frozen=True)
class Slices:
    """Every axial slice of the depth range, padded to a square, also the empty ones (as the released code)."""

    volumes: SubjectVolumes

    def __len__(self) -> int:
        low, high = self.volumes.geometry.depth
        return len(self.volumes.subjects) * (high - low)

    def __getitem__(self, index: int) -> tuple[Image, Mask | None]:
        """Image and mask of one slice, (S, S) each; the mask is None where it is unknown."""
        subject, flat = self._place(index)
        return padded_slices(self.volumes.image(subject), flat)[0].astype(np.float32), self.mask(index)

    def mask(self, index: int) -> Mask | None:
        """The mask (S, S) of one slice, whose image is not read; None where it is unknown."""
        subject, flat = self._place(index)
        mask = self.volumes.mask(subject)
        return None if mask is None else padded_slices(mask, flat)[0]

    def _place(self, index: int) -> tuple[str, Geometry]:
        """Whose slice it is, and the geometry that holds this slice alone."""
        low, high = self.volumes.geometry.depth
        z = low + index % (high - low)
        return self.volumes.subjects[index // (high - low)], replace(self.volumes.geometry, depth=(z, z + 1))


class PatchIndex(NamedTuple):
    """Which patch: one half of a subject's brain, side 0 at low x; or its axial slice `z`, counted in the volume."""

    subject: str
    side: int
    z: int | None = None


@dataclass(frozen=True)
class HemispherePatches:
    """Patches (z, y, x) of the listed halves, or (y, x) of their listed slices."""

    volumes: SubjectVolumes
    units: tuple[PatchIndex, ...]

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, index: int) -> tuple[Image, Mask | None]:
        """Image and mask of one patch; the mask is None where it is unknown."""
        unit = self.units[index]
        mask = self.volumes.mask(unit.subject)
        image = self._cut(self.volumes.image(unit.subject), unit).astype(np.float32)
        return image, None if mask is None else self._cut(mask, unit)

    def _cut(self, volume: NDArray[Any], unit: PatchIndex) -> NDArray[Any]:
        box, geometry = self.volumes.box(unit.subject), self.volumes.geometry
        if unit.z is not None:
            geometry = replace(geometry, depth=(unit.z, unit.z + 1), crop=(1, *geometry.crop[1:]))
        half: NDArray[Any] = halves(volume, geometry, box)[unit.side]
        return half if unit.z is None else half[0]


def half_crops(volumes: SubjectVolumes) -> tuple[HemispherePatches, HemispherePatches]:
    """Both halves of every subject: those with tumour anywhere, and those without (thesis, section 5.5.1)."""
    units: dict[bool, list[PatchIndex]] = {True: [], False: []}
    for subject in volumes.subjects:
        for side, present in enumerate(volumes.presence(subject)):
            units[present].append(PatchIndex(subject, side))
    return HemispherePatches(volumes, tuple(units[True])), HemispherePatches(volumes, tuple(units[False]))


def half_slices(volumes: SubjectVolumes) -> tuple[HemispherePatches, HemispherePatches]:
    """Axial slices of every half that are not nearly empty: those with tumour, and those without."""
    units: dict[bool, list[PatchIndex]] = {True: [], False: []}
    for subject in volumes.subjects:
        volume, box, crop = volumes.image(subject), volumes.box(subject), volumes.geometry.crop
        first = half_starts(volume.shape, volumes.geometry, box)[0][0]
        brain = np.count_nonzero(halves(volume, volumes.geometry, box), axis=(2, 3)) >= LEAST_BRAIN * crop[1] * crop[2]
        areas = volumes.tumour_areas(subject)
        for side, z in np.argwhere(brain).tolist():
            units[bool(areas[side, first + z] > 0)].append(PatchIndex(subject, side, first + z))
    return HemispherePatches(volumes, tuple(units[True])), HemispherePatches(volumes, tuple(units[False]))


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """A random order of `count` units in batches of `size`; the last one may be smaller."""
    order = rng.permutation(count).tolist()
    for start in range(0, count, size):
        yield order[start : start + size]


def cycled(count: int, size: int, length: int, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """`length` batches of `size` from `count` units, reshuffled when all have been used; empty ones if count is 0."""
    order: list[int] = []
    for _ in range(length):
        while count and len(order) < size:
            order += rng.permutation(count).tolist()
        yield order[:size]
        order = order[size:]


def domain_volumes(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> SubjectVolumes:
    """Volumes of one domain and split; with `masks=False` none is asked for."""
    return SubjectVolumes(
        subjects=task.subjects(domain, split),
        image=partial(task.mapped_image, domain, split),
        mask=partial(task.mapped_mask, domain, split) if masks else lambda _: None,
        presence=partial(task.presence, domain, split),
        tumour_areas=partial(task.tumour_areas, domain, split),
        box=task.box,
        geometry=task.geometry,
    )


@recipe
class SliceRule:
    """Which slices of a hemisphere are diseased, which healthy, and which nobody sees.

    diseased_share: of the brain's area in the slice, tumour; a slice with less is neither diseased nor healthy.
        The paper says 1 %; the released code counts the brain once per contrast, which makes it 4 %.
    least_brain: share of the slice that is brain (released code).
    """

    diseased_share: Fraction = 0.01
    least_brain: Fraction = 0.25

    def parted(
        self, images: NDArray[Any], tumour: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Diseased and healthy slices (2, z) of both hemispheres (2, z, y, x) with `tumour` (2, z) voxels in each."""
        brain = np.count_nonzero(images, axis=(2, 3))
        seen = brain > self.least_brain * images[0, 0].size
        return seen & (tumour >= self.diseased_share * brain) & (tumour > 0), seen & (tumour == 0)


def hemispheres(geometry: Geometry, shape: Shape) -> Geometry:
    """The geometry whose halves are whole ones: all slices and rows, and every column up to the midline."""
    return replace(geometry, depth=(0, shape[0]), crop=(shape[0], shape[1], -(-shape[2] // 2)))


def hemisphere_volumes(task: TaskView, domain: Domain, split: SplitName, *, masks: bool = True) -> SubjectVolumes:
    """Volumes of one domain and split, cut into whole hemispheres; with `masks=False` no mask is asked for."""
    volumes = domain_volumes(task, domain, split, masks=masks)
    return replace(volumes, geometry=hemispheres(task.geometry, task.shape))


def hemisphere_slices(volumes: SubjectVolumes, rule: SliceRule) -> tuple[HemispherePatches, HemispherePatches]:
    """The diseased slices of `volumes`, and the healthy ones."""
    diseased, healthy = [], []
    for subject in volumes.subjects:
        cut = halves(volumes.image(subject), volumes.geometry, volumes.box(subject))
        sick, well = rule.parted(cut, volumes.tumour_areas(subject))
        diseased += [PatchIndex(subject, side, z) for side, z in np.argwhere(sick).tolist()]
        healthy += [PatchIndex(subject, side, z) for side, z in np.argwhere(well).tolist()]
    return HemispherePatches(volumes, tuple(diseased)), HemispherePatches(volumes, tuple(healthy))
