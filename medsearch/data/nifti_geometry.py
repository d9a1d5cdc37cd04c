"""What a NIfTI header says of where its voxels lie, in millimetres.

A header may say it three times: as a matrix (sform), as a rotation with voxel sizes (qform), and as voxel sizes alone
(pixdim). The sform is taken where it is coded, else the qform, as nibabel does; whether they agree is judged in
`judges`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
"""(4, 4), from voxel indices to mm; of directions (3, 3)."""

_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Metres, millimetres, micrometres, by the code in the lowest three bits of xyzt_units; other codes say nothing."""


@dataclass(frozen=True, kw_only=True)
class HeaderGeometry:
    """The geometries of one header.

    sform, qform: 16 numbers by rows, mm; empty where it is not coded, or makes no matrix. codes: of sform and qform, 0
    where it is not coded; they name the space that each leads to. edges: voxel sizes (pixdim) along x, y and z with
    their signs, mm. unit: mm in the header's unit of length.
    """

    sform: tuple[float, ...]
    qform: tuple[float, ...]
    codes: tuple[int, int]
    edges: tuple[float, ...]
    unit: float

    @staticmethod
    def of(header: Any) -> "HeaderGeometry":
        """What nibabel's `header` holds, which must not have been checked: checking corrects signs."""
        unit = _UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)
        codes = int(header["sform_code"]), int(header["qform_code"])
        edges = tuple(float(edge) * unit for edge in header["pixdim"][1:4])
        unsigned = header.copy()
        unsigned["pixdim"][1:4] = np.abs(header["pixdim"][1:4])  # a rotation takes them so
        forms = [_form(getattr(unsigned, name), unit) for name in ("get_sform", "get_qform")]
        return HeaderGeometry(sform=forms[0], qform=forms[1], codes=codes, edges=edges, unit=unit)


def directions(affine: Matrix) -> Matrix:
    """The unit vectors (columns) along which voxels are counted."""
    axes = affine[:3, :3]
    return np.asarray(axes / np.linalg.norm(axes, axis=0))


def skewness(affine: Matrix) -> float:
    """By how many degrees the angle between two axes of voxels differs from a right one, at most."""
    along = directions(affine)
    cosines = np.abs(along.T @ along - np.eye(3)).max()
    return float(np.degrees(np.arcsin(min(1.0, cosines))))


def turn(one: Matrix, other: Matrix) -> float:
    """The largest angle between an axis of `one` and the same axis of `other`, degrees; (4, 4) or (3, 3) each."""
    chords = np.linalg.norm(directions(one) - directions(other), axis=0)
    return float(np.degrees(2 * np.arcsin(min(1.0, float(chords.max()) / 2))))


def _form(read: Any, unit: float) -> tuple[float, ...]:
    try:
        matrix, _ = read(coded=True)
    except Exception:  # a quaternion of which no rotation can be made; nibabel raises many types
        return ()
    if matrix is None or not np.isfinite(matrix).all():
        return ()
    return tuple(float(number) for number in (np.diag([unit, unit, unit, 1.0]) @ matrix).ravel())
