"""Whether files lie on one grid, from their facts, and in which words to say that they do not."""

from collections.abc import Sequence

import numpy as np

from medsearch.data.inspection import LABEL, MASK, CaseFacts, FileFacts

_SPACING_MM = 1e-3
_SPACING_DIGITS = 3
_HEADER_MM = 1e-5
"""How well a header's single precision keeps a position."""


def common_grid(facts: CaseFacts, tolerance: float) -> FileFacts | None:
    """A file on the grid that most of a case's images share; the earliest, where two are as common.

    `tolerance`: as for `difference`. The mask, where no image can be read; None, where nothing can.
    """
    readable = {kind: found for kind, found in facts.files.items() if found.problem is None}
    images = [found for kind, found in readable.items() if kind not in (MASK, LABEL)]
    if not images:
        return readable.get(MASK)
    return max(images, key=lambda one: sum(difference(one, other, tolerance) is None for other in images))


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
    directions = np.array(facts.affine).reshape(4, 4)[:3, :3] / np.array(_spacing(facts))
    axes = "".join(
        ("RAS" if directions[row, column] > 0 else "LPI")[row]
        for column, row in enumerate(np.abs(directions).argmax(axis=0))
    )
    return f"grid is {_times(facts.shape)} voxels of {_times(_spacing(facts))} mm, axes {axes}"


def _spacing(facts: FileFacts) -> tuple[float, ...]:
    edges = np.linalg.norm(np.array(facts.affine).reshape(4, 4)[:3, :3], axis=0)
    return tuple(round(float(edge), _SPACING_DIGITS) for edge in edges)


def _times(numbers: Sequence[int] | Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
