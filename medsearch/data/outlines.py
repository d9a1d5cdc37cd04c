"""An organ's outline that lies beside a CT, brought onto the CT's grid.

The outlines of Pancreas-CT were released without a grid to trust: whatever their headers say, voxels are stored along
the columns, rows and slices of the DICOM images, that is to the left, to the back and up. Against a CT that a converter
has stored from back to front (dcm2niix does), as their headers claim for them too, they are upside down along y.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsearch.data.image_files import UnreadableVolume, Volume
from medsearch.data.volumes import stored_volume

SOFT_TISSUE = (-50.0, 200.0)
"""HU of an abdominal organ, with agent or without. Turned the wrong way, an outline of the pancreas mostly lies in fat,
though by chance it may fall on another organ."""

_LPS = np.diag([-1.0, -1.0, 1.0])
_SAME_MM = 0.5


def read_outline(path: Path, image: Volume) -> Volume:
    """The outline in a file on the grid of its image: (x, y, z) as the image's, and the image's affine.

    Raises:
        UnreadableVolume: the file cannot be read, or has other numbers of voxels than the image.
    """
    return laid_on(stored_volume(path), image)


def laid_on(outline: Volume, image: Volume) -> Volume:
    """As `read_outline`. An affine that is the image's is trusted; otherwise voxels are taken in the released order.

    Raises:
        UnreadableVolume: the numbers of voxels differ.
    """
    trusted = outline.array.shape == image.array.shape and _agree(outline.affine, image.affine)
    array = outline.array if trusted else _turned(outline.array, image)
    if array.shape != image.array.shape:
        ours, theirs = ("x".join(map(str, shape)) for shape in (array.shape, image.array.shape))
        raise UnreadableVolume(outline.path, f"has {ours} voxels, its CT {theirs}", "give the label of this very CT")
    return Volume(array=array, affine=image.affine, path=outline.path)


def misfit(outline: Volume, image: Volume) -> float:
    """The share of the outlined voxels that are no soft tissue in the image, both on one grid; -1 without any."""
    values = image.array[np.rint(outline.array) > 0]
    if not values.size:
        return -1.0
    return float(np.mean((values < SOFT_TISSUE[0]) | (values > SOFT_TISSUE[1])))


def _agree(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    return bool(np.abs(one - other).max() < _SAME_MM)


def _turned(array: npt.NDArray[np.generic], image: Volume) -> npt.NDArray[np.generic]:
    """An array along left, back and up, turned to run along the image's own axes."""
    directions = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    along = _LPS @ directions  # by rows: how far each of left, back and up goes along each axis of the image
    order = np.abs(along).argmax(axis=0)
    turned = np.transpose(array, order)
    return np.flip(turned, tuple(axis for axis in range(3) if along[order[axis], axis] < 0))
