"""A common grid for images as they were acquired (section 5.5.1): an atlas, and a block of its head.

The grid's x runs to the left from the atlas's own mid-sagittal plane, so that its halves are the hemispheres; y runs to
the back, z up. The plane is found by laying the atlas on its mirror image. From front to back and up and down the
block is centred on where the annotated source tumours lie once they are registered (the paper chose its block by eye),
or on the atlas's field of view where none is annotated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.data.cohorts import Case, Cohort
from medsearch.data.geometry import Geometry, Triple
from medsearch.data.image_files import Volume
from medsearch.data.registration import Atlas, Fit, Measure, RegistrationFailed
from medsearch.data.resampling import MAJORITY, Image
from medsearch.data.volumes import read_volume

Matrix = NDArray[np.float64]  # (4, 4)

_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
_BLUR = 0.425  # standard deviation of a Gaussian as wide as a box, in box widths


@dataclass(frozen=True, eq=False)
class AtlasCase:
    """The case that others are laid on, and which of its contrasts."""

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

    def laid(self, case: Case) -> Fit:
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

    def image(self, volume: Volume, laid: Matrix) -> Image:
        """A case's image in the block, averaged to its voxels; what the image does not cover is 0.

        Nothing is skull-stripped, so `brain` is all that was scanned.
        """
        values = self._resampled(volume, laid, volume.array.astype(np.float32))
        covered = self._resampled(volume, laid, np.ones(volume.array.shape, np.float32)) >= MAJORITY
        return Image(np.where(covered, values, 0), covered & (values != 0))

    def mask(self, volume: Volume, laid: Matrix, tumour: Sequence[int]) -> NDArray[np.uint8]:
        """The labels `tumour` by majority: (Z, Y, X) of 0 and 1."""
        marked = np.isin(np.rint(volume.array), tumour).astype(np.float32)
        return (self._resampled(volume, laid, marked) >= MAJORITY).astype(np.uint8)

    def _resampled(self, volume: Volume, laid: Matrix, values: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.ndimage import affine_transform, gaussian_filter

        steps = np.linalg.inv(volume.affine) @ laid @ self.affine
        wider = np.linalg.norm(steps[:3, :3], axis=1)  # voxels of the file along each of its axes, per new voxel
        blurred = gaussian_filter(values, _BLUR * np.sqrt(np.maximum(wider**2 - 1, 0)), mode="nearest")
        output = self.shape[::-1]
        found = affine_transform(blurred, steps[:3, :3], steps[:3, 3], output_shape=output, order=1, cval=0.0)
        return np.ascontiguousarray(found.T, dtype=np.float32)


def centroid(case: Case, laid: Matrix, tumour: Sequence[int]) -> Matrix | None:
    """Where the case's tumour lies in the atlas, mm; None without a mask, or with an empty one."""
    if case.mask is None:
        return None
    volume = read_volume(case.mask)
    voxels = np.argwhere(np.isin(np.rint(volume.array), tumour))
    if not len(voxels):
        return None
    return _world(np.linalg.inv(laid) @ volume.affine, voxels.mean(axis=0))


def _world(affine: Matrix, point: Any) -> Matrix:
    moved: Matrix = affine[:3, :3] @ np.asarray(point, dtype=np.float64) + affine[:3, 3]
    return moved
