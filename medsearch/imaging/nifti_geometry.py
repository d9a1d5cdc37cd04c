"""What a NIfTI header says of where its voxels lie, in millimetres.

A header may say it three times: as a matrix (sform), as a rotation with voxel sizes (qform), and as voxel sizes alone
(pixdim). The sform is taken where it is coded, else the qform, as nibabel does; whether they agree is judged in
`case_validation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
"""(4, 4), from voxel indices to mm; of directions (3, 3)."""

_SPACES = range(1, 6)
"""The codes of spaces that NIfTI defines; a form with another code counts for nobody, 0 means that it is not coded."""
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Metres, millimetres, micrometres, by the code in the lowest three bits of xyzt_units; other codes say nothing."""
_LEAST_VOLUME = 1e-9
"""Of a voxel, mm³."""


@dataclass(frozen=True, kw_only=True)
class HeaderGeometry:
    """The geometries of one header.

    sform, qform: 16 numbers by rows, mm; empty where its code is 0, or where it makes no matrix with an inverse. codes:
    of sform and qform, as stored; they name the space that each leads to. edges: voxel sizes (pixdim) along x, y and z
    with their signs, mm. unit: mm in the header's unit of length.
    """

    sform: tuple[float, ...]
    qform: tuple[float, ...]
    codes: tuple[int, int]
    edges: tuple[float, ...]
    unit: float

    @staticmethod
    def of(header: Any) -> "HeaderGeometry":
        """What nibabel's `header` holds, which must not have been checked: checking corrects signs, sizes and codes."""
        unit = _UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)
        codes = int(header["sform_code"]), int(header["qform_code"])
        edges = tuple(float(edge) * unit for edge in header["pixdim"][1:4])
        signed = header.copy()
        signed["pixdim"][1:4] = np.abs(header["pixdim"][1:4])  # a rotation takes them so
        if signed["pixdim"][0] not in (-1, 1):  # NIfTI: 0 is to be taken as 1
            signed["pixdim"][0] = 1
        sform = _form(signed.get_sform, unit) if codes[0] else ()
        qform = _form(signed.get_qform, unit) if codes[1] else ()
        return HeaderGeometry(sform=sform, qform=qform, codes=codes, edges=edges, unit=unit)

    @property
    def taken(self) -> Literal["sform", "qform", ""]:
        """Which of the two says where voxels lie; neither where no code is one of NIfTI's."""
        return "sform" if self.codes[0] in _SPACES else "qform" if self.codes[1] in _SPACES else ""

    @property
    def other(self) -> tuple[float, ...]:
        """The form that is not taken; empty where there is none."""
        return self.qform if self.taken == "sform" else self.sform


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


def _form(read: Callable[[], Any], unit: float) -> tuple[float, ...]:
    try:
        matrix = np.array(read(), dtype=np.float64)
    except Exception:  # a quaternion of which no rotation can be made; nibabel raises many types
        return ()
    matrix[:3] *= unit
    return tuple(float(number) for number in matrix.ravel()) if is_usable(matrix) else ()


def is_usable(affine: Matrix) -> bool:
    """Whether it gives every voxel a place of its own."""
    return bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) >= _LEAST_VOLUME)
