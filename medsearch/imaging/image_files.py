"""Volumes as they are held in memory, and the files that they are: their bytes, their names, their geometries.

A volume is one NIfTI file, or a folder with the slices of one CT series in DICOM. `volumes` reads either; `dicom` reads
folders. Errors name the file and never quote what it holds, which may be a patient's name.

A NIfTI header may say three times where its voxels lie: as a matrix (sform), as a rotation with voxel sizes (qform),
and as voxel sizes alone (pixdim). The sform is taken where it is coded, else the qform, as nibabel does; whether they
agree is judged in `cohorts.checks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput

Matrix = npt.NDArray[np.float64]
"""(4, 4), from voxel indices to mm; of directions (3, 3)."""

_SPACES = range(1, 6)
"""The codes of spaces that NIfTI defines; a form with another code counts for nobody, 0 means that it is not coded."""
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Metres, millimetres, micrometres, by the code in the lowest three bits of xyzt_units; other codes say nothing."""
_LEAST_VOLUME = 1e-9
"""Of a voxel, mm³."""

_CLUTTER = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "icon\r",
        "lost+found",
        "network trash folder",
        "recycled",
        "recycler",
        "system volume information",
        "temporary items",
        "thumbs.db",
        "~snapshot",
    }
)
"""Folders and files that nobody put there, by their names in lower case: of Synology, QNAP and NetApp servers, Windows,
macOS and ext file systems."""


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of names; hidden entries (.DS_Store, ._x, .snapshot) and clutter apart.

    Raises:
        OSError: the folder cannot be read.
    """
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in entries if entry.name.casefold() not in _CLUTTER)


class UnreadableVolume(BadInput):
    """A file does not hold a 3D volume; says which, why, and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path, self.problem, self.remedy = path, problem, remedy


@dataclass(frozen=True, kw_only=True)
class HeaderGeometry:
    """The geometries of one NIfTI header.

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
        forms: list[tuple[float, ...]] = []
        for code, read in zip(codes, (signed.get_sform, signed.get_qform), strict=True):
            try:
                matrix = np.array(read(), dtype=np.float64) if code else np.full((4, 4), np.nan)
            except Exception:  # a quaternion of which no rotation can be made; nibabel raises many types
                matrix = np.full((4, 4), np.nan)
            matrix[:3] *= unit
            forms.append(tuple(matrix.ravel().tolist()) if is_usable(matrix) else ())
        return HeaderGeometry(sform=forms[0], qform=forms[1], codes=codes, edges=edges, unit=unit)

    @property
    def taken(self) -> Literal["sform", "qform", ""]:
        """Which of the two says where voxels lie; neither where no code is one of NIfTI's."""
        return "sform" if self.codes[0] in _SPACES else "qform" if self.codes[1] in _SPACES else ""


def is_usable(affine: Matrix) -> bool:
    """Whether it gives every voxel a place of its own."""
    return bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) >= _LEAST_VOLUME)


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


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D image: `array` (x, y, z), `affine` (4, 4) from voxel indices to millimetres, and the file it came from.

    header: what a NIfTI file says of its geometry, of which `affine` is one reading; None: it is no NIfTI file.
    """

    array: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    path: Path
    header: HeaderGeometry | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths in mm along (x, y, z)."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)


Contents: TypeAlias = Mapping[Path, bytes]
"""Bytes of files that have been read, by their paths."""
NOTHING_READ: Contents = MappingProxyType({})


def files_of(path: Path) -> list[Path]:
    """The files that a volume is: itself, or what lies in its folder in the order of names (see `visible`).

    Raises:
        UnreadableVolume: the folder may not be read.

    """
    if not path.is_dir():
        return [path]
    try:
        return visible(path)
    except OSError as error:
        raise UnreadableVolume(path, f"cannot be read ({type(error).__name__})", "check its permissions") from None


def missing(path: Path) -> tuple[str, str]:
    """What is wrong with a path at which there is no file, and what to do."""
    problem = "is a link to a file that does not exist" if path.is_symlink() else "does not exist"
    return problem, "put the file there, or leave out the case"


def read_files(path: Path) -> dict[Path, bytes]:
    """The bytes of every file that a volume is; folders within its folder are passed over.

    Raises:
        UnreadableVolume: a file is missing, empty, or may not be read.

    """
    return {file: read_bytes(file) for file in files_of(path) if not file.is_dir()}


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """A file's bytes as stored; at most `limit` of them, if given.

    Raises:
        UnreadableVolume: the file is missing, empty, or may not be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit)
    except FileNotFoundError:
        raise UnreadableVolume(path, *missing(path)) from None
    except OSError as error:
        raise UnreadableVolume(path, f"cannot be read ({type(error).__name__})", "check its permissions") from None
    if not content:
        raise UnreadableVolume(path, "is empty (0 bytes)", "copy or download it again")
    return content
