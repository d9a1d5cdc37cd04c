"""Files of images: what lies in a folder, which files a volume is, their bytes, and a volume as it is held in memory.

A volume is one NIfTI file, or a folder with the slices of one CT series in DICOM. `volumes` reads either; `dicom` reads
folders. Errors name the file and never quote what it holds, which may be a patient's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.imaging.nifti_geometry import HeaderGeometry

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
    return sorted(entry for entry in folder.iterdir() if not is_clutter(entry.name))


def is_clutter(name: str) -> bool:
    """Whether nobody put an entry of that name there: a hidden one, or a server's, an archive's or a desktop's own."""
    return name.startswith(".") or name.casefold() in _CLUTTER


class UnreadableVolume(BadInput):
    """A file does not hold a 3D volume; says which, why, and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path, self.problem, self.remedy = path, problem, remedy


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
