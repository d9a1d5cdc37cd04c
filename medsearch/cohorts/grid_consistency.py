"""Whether files lie on one grid, from their facts, and in which words to say that they do not."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.inspection import LABEL, MASK, CaseFacts, FileFacts
from medsearch.imaging.nifti_geometry import Matrix, directions, turn

_SPACING_MM = 1e-3
_SPACING_DIGITS = 3
_SAME_TRACE = 3e-4
"""Axes a degree or less apart: three unit vectors have a product of 3 with themselves."""
_HEADER_MM = 1e-5
"""How well a header's single precision keeps a position."""


def common_grid(facts: CaseFacts, tolerance: float) -> FileFacts | None:
    """A file on the grid that most of a case's images share; the earliest, where two are as common.

    `tolerance`: as for `difference`. The mask, where no image can be read; None, where nothing can.
    """
    readable = {kind: file for kind, file in facts.files.items() if file.problem is None}
    images = [file for kind, file in readable.items() if kind not in (MASK, LABEL)]
    if not images:
        return readable.get(MASK)
    return max(images, key=lambda image: sum(difference(image, other, tolerance) is None for other in images))


def difference(one: FileFacts, other: FileFacts, tolerance: float) -> str | None:
    """How two grids differ, in words; None if no entry of their affines does by more than `tolerance` (mm)."""
    if one.shape != other.shape:
        return f"shape {_times(one.shape)}, theirs {_times(other.shape)}"
    if not np.allclose(_spacing(one), _spacing(other), rtol=0, atol=_SPACING_MM):
        return f"spacing {_times(_spacing(one))} mm, theirs {_times(_spacing(other))} mm"
    if not np.allclose(one.affine, other.affine, rtol=0, atol=tolerance + _HEADER_MM):
        return "another affine (position or orientation)"
    return None


def described(facts: FileFacts) -> str:
    """A grid but for its position: size, spacing, and the directions of its axes."""
    along = directions(matrix(facts.affine))
    axes = "".join(
        ("RAS" if along[row, column] > 0 else "LPI")[row] for column, row in enumerate(np.abs(along).argmax(axis=0))
    )
    return f"grid is {_times(facts.shape)} voxels of {_times(_spacing(facts))} mm, axes {axes}"


def matrix(affine: Sequence[float]) -> Matrix:
    """(4, 4) from its 16 numbers by rows."""
    return np.array(affine, np.float64).reshape(4, 4)


def edges_in_words(edges: npt.ArrayLike) -> str:
    """Voxel sizes: `1 mm` of a cube, otherwise `1 x 1 x 2 mm`."""
    rounded = [float(f"{edge:.4g}") for edge in np.ravel(edges)]
    return f"{rounded[0]:g} mm" if len(set(rounded)) == 1 else f"{_times(rounded)} mm"


def turns(facts: Sequence[FileFacts]) -> list[float]:
    """By how many degrees each grid is turned against the one that most of them lie along."""
    along = [directions(matrix(grid.affine)) for grid in facts]
    alike = (
        np.array([grid.ravel() for grid in along]) @ np.array([grid.ravel() for grid in along]).T
    )  # 3 where they are one
    usual = along[int((alike > 3 - _SAME_TRACE).sum(axis=1).argmax())]
    return [turn(grid, usual) for grid in along]


def _spacing(facts: FileFacts) -> tuple[float, ...]:
    return tuple(round(float(edge), _SPACING_DIGITS) for edge in np.linalg.norm(matrix(facts.affine)[:3, :3], axis=0))


def _times(numbers: Sequence[int] | Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
