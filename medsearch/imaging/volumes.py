"""Volumes in and out: NIfTI files, and folders with the slices of one CT series (see `dicom`), which are read only.

Errors name the file and never quote its header. A header may hold a patient's name (`descrip`, `db_name`); so no
message here carries text from a file, and no message of nibabel's is passed on.
"""

import gzip
import logging
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.imaging.dicom import read_series
from medsearch.imaging.image_files import (
    NOTHING_READ,
    Contents,
    HeaderGeometry,
    UnreadableVolume,
    Volume,
    is_usable,
    read_bytes,
)

_GZIP_MAGIC = b"\x1f\x8b"
_NIFTI2_HEADER_SIZE = (540).to_bytes(4, "little"), (540).to_bytes(4, "big")
_NO_GEOMETRY = "has a header without a usable geometry", "restore its affine, or convert it again"
_SMALLER = {"bool": np.uint8, "int64": np.int32, "uint64": np.uint32, "float64": np.float32, "float16": np.float32}


def read_volume(path: Path) -> Volume:
    """The volume in a NIfTI file (.nii or .nii.gz) or in a folder with one CT series, as float32.

    Axes (x, y, z), scaling of the header applied.

    Raises:
        UnreadableVolume: missing, truncated or damaged file, not a NIfTI, not 3D, or a header without
            a usable geometry; of a folder, what `dicom.read_series` refuses.
    """
    stored = stored_volume(path)
    return Volume(array=stored.array.astype(np.float32), affine=stored.affine, path=path)


def stored_volume(path: Path, contents: Contents = NOTHING_READ) -> Volume:
    """As `read_volume`, in the type that the volume is stored with; files of `contents` are not read again.

    The checksum of a gzip file is verified.
    """
    if path.is_dir():
        return read_series(path, contents)
    content = contents[path] if path in contents else read_bytes(path)
    image, geometry = _parsed(_decompressed(content, path), path)
    try:
        array = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError):
        raise UnreadableVolume(path, "is truncated", "copy or download it again") from None
    if array.dtype.kind not in "biuf":
        raise UnreadableVolume(path, "does not hold one number per voxel", "convert it to a scalar NIfTI volume")
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or 0 in array.shape:
        shape = "x".join(str(size) for size in array.shape)
        raise UnreadableVolume(path, f"is not 3D (shape {shape})", "store one 3D volume per contrast")
    return Volume(array=array, affine=_affine(image, geometry, path), path=path, header=geometry)


def _decompressed(content: bytes, path: Path) -> bytes:
    named_gzip, is_gzip = path.name.endswith(".gz"), content.startswith(_GZIP_MAGIC)
    if named_gzip != is_gzip:
        problem = "is not gzip, though named .gz" if named_gzip else "is gzip, though not named .gz"
        raise UnreadableVolume(path, problem, "rename it to what it is, or copy or download it again")
    if not is_gzip:
        return content
    try:
        return gzip.decompress(content)
    except EOFError:
        raise UnreadableVolume(path, "is truncated", "copy or download it again") from None
    except (OSError, zlib.error):
        raise UnreadableVolume(path, "is damaged (gzip check failed)", "copy or download it again") from None


def _parsed(plain: bytes, path: Path) -> tuple[Any, HeaderGeometry]:
    """The image as nibabel has it, and its geometry as it was stored: nibabel corrects it as it reads."""
    import nibabel
    from nibabel import imageglobals

    imageglobals.logger.setLevel(logging.CRITICAL + 1)  # it tells of corrections, and may quote what it corrects
    kind = nibabel.Nifti2Image if plain[:4] in _NIFTI2_HEADER_SIZE else nibabel.Nifti1Image
    if b"\0" not in plain[:4] or len(plain) < kind.header_class.sizeof_hdr:
        _refuse_as_other(path)
    try:
        geometry = HeaderGeometry.of(kind.header_class(plain[: kind.header_class.sizeof_hdr], check=False))
        if geometry.taken == "qform" and not geometry.qform:
            raise UnreadableVolume(path, *_NO_GEOMETRY)
        return kind.from_bytes(plain), geometry
    except UnreadableVolume:
        raise
    except Exception:  # nibabel raises many types, whose messages may quote the header: none is passed on
        _refuse_as_other(path)


def _refuse_as_other(path: Path) -> NoReturn:
    raise UnreadableVolume(path, "is not a NIfTI file", "convert it to NIfTI, or copy or download it again") from None


def _affine(image: Any, geometry: HeaderGeometry, path: Path) -> npt.NDArray[np.float64]:
    in_mm = np.array([[geometry.unit]] * 3 + [[1.0]])
    affine: npt.NDArray[np.float64] = np.asarray(image.affine, dtype=np.float64) * in_mm
    if not is_usable(affine):
        raise UnreadableVolume(path, *_NO_GEOMETRY)
    return affine


def write_volume(path: Path, array: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> None:
    """Write `array` (x, y, z) as NIfTI: the same bytes for the same content, and never half a file.

    Types that NIfTI readers often lack are narrowed (float64 to float32, int64 to int32, bool to uint8).

    Raises:
        BadInput: `path` ends neither in .nii nor in .nii.gz.
    """
    import nibabel

    if not path.name.endswith((".nii", ".nii.gz")):
        msg = f"{path}: a volume is written as .nii or .nii.gz; rename it"
        raise BadInput(msg)
    image = nibabel.Nifti1Image(array.astype(_SMALLER.get(array.dtype.name, array.dtype)), affine)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, compresslevel=1, mtime=0)
    aside = path.with_name(f".{path.name}.aside")
    aside.write_bytes(content)
    aside.replace(path)
