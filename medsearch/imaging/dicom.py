"""A folder with one CT series in DICOM, as a volume; whatever else a folder may hold is refused by name.

A series is one file per slice, or an enhanced (multi-frame) CT with many in one file. Slices are ordered by their
positions along the normal, never by file names or instance numbers. Volumes have their axes along columns, rows and
slices, so (x, y, z) is (left, back, up) for a patient who lies on the back; the affine is NIfTI's, from voxel indices
to RAS, mm.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsearch.imaging.dicom_slices import BadSlice, Slice, read_pixels, read_slices
from medsearch.imaging.image_files import NOTHING_READ, Contents, UnreadableVolume, Volume, files_of, read_bytes

__all__ = ["first_slice", "read_series"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_DIRECTION, _SAME_SPACING = 1e-3, 1e-3
_UNEVEN_MM, _UNEVEN = 0.101, 0.05
"""Positions are often rounded to 0.1 mm: distances may differ by that, or by this share of the usual one."""
_SHEAR, _JUMP_MM = 0.004, 1.0
"""By so much of its length the line through the first voxels may leave the normal (a quarter of a degree), and by so
much from one slice to the next."""
_FEWEST = 3
"""So many slices show at least whether they are evenly spaced."""
_SPLIT = "keep one series per folder"
_AGAIN = "copy or download the series again"
_UNTILT = "undo the tilt when converting it to NIfTI (dcm2niix does), and give that file"


def read_series(folder: Path, contents: Contents = NOTHING_READ) -> Volume:
    """The volume of the one CT series in `folder`: (x, y, z) in HU, int16 where that holds it, else float32.

    Each file is read once, those of `contents` not again.

    Raises:
        UnreadableVolume: a file that is none of the series' slices, several series, a missing slice or uneven spacing,
            a tilted gantry, another modality, a localizer, or slices that differ in size or direction.
    """
    images: dict[Path, list[npt.NDArray[Any]] | BadSlice] = {}
    slices = _ordered(list(_slices(folder, contents, images)), folder)
    step = _step(slices, folder)
    arrays = [_array(one, images[one.path], folder) for one in slices]
    if any(array.shape != slices[0].size for array in arrays):
        raise UnreadableVolume(folder, "holds images of another size than their headers say", _AGAIN)
    return Volume(array=np.stack(arrays, axis=-1), affine=_affine(slices[0], step), path=folder)


def _slices(folder: Path, contents: Contents, images: dict[Path, list[npt.NDArray[Any]] | BadSlice]) -> Iterator[Slice]:
    """The headers of all slices in the order of the files' names; `images` takes each file's images, or their fault.

    What is wrong with the series as a whole is said first, so that a fault of images is not raised here.
    """
    files = files_of(folder)
    for path in files:
        if path.is_dir():
            raise UnreadableVolume(folder, f"holds a folder ({path.name}) beside slices", "give the series' own folder")
        try:
            content = contents[path] if path in contents else read_bytes(path)
            slices = read_slices(path, content)
        except (BadSlice, UnreadableVolume) as bad:
            raise UnreadableVolume(folder, f"{path.name} {bad.problem}", bad.remedy) from None
        try:
            images[path] = read_pixels(slices, content)
        except BadSlice as bad:
            images[path] = bad
        yield from slices
    if not files:
        raise UnreadableVolume(folder, "holds no slice", "put the files of one CT series there")


def _array(one: Slice, images: list[npt.NDArray[Any]] | BadSlice, folder: Path) -> npt.NDArray[Any]:
    """The image (columns, rows) of a slice among those of its file."""
    if isinstance(images, BadSlice):
        raise UnreadableVolume(folder, f"{one.path.name} {images.problem}", images.remedy) from None
    return images[one.frame].T


def first_slice(folder: Path) -> Slice | None:
    """The header of the first file, in the order of names, that is a slice of a CT series; None, if none is."""
    for path in files_of(folder):
        with contextlib.suppress(BadSlice):
            return read_slices(path)[0]
    return None


def _ordered(slices: Sequence[Slice], folder: Path) -> list[Slice]:
    """The slices of one series, in the order of their positions along the normal."""
    series = Counter(each.series for each in slices)
    if len(series) > 1:
        counts = " and ".join(str(count) for count in sorted(series.values(), reverse=True))
        raise UnreadableVolume(folder, f"{len(series)} series are mixed here ({counts} slices)", _SPLIT)
    if all(each.localizer for each in slices):
        raise UnreadableVolume(folder, "holds a localizer (scout) only", "give the folder of an axial series")
    _require_same([each.size for each in slices], "size", slices, 0.0)
    _require_same([each.spacing for each in slices], "pixel spacing", slices, _SAME_SPACING)
    _require_same([each.axes.ravel() for each in slices], "direction", slices, _SAME_DIRECTION)
    if len(slices) < _FEWEST:
        remedy = "give the folder of a whole series"
        raise UnreadableVolume(folder, f"holds {len(slices)} slices only, which make no volume", remedy)
    return sorted(slices, key=lambda each: float(each.position @ slices[0].normal))


def _require_same(values: Sequence[npt.ArrayLike], what: str, slices: Sequence[Slice], tolerance: float) -> None:
    numbers = np.array(values, np.float64)
    off = np.abs(numbers - np.median(numbers, axis=0)).max(axis=1)
    if (off > tolerance).any():
        odd = slices[int(off.argmax())].path
        problem = f"{odd.name} has another {what} than most slices"
        raise UnreadableVolume(odd.parent, problem, f"{_SPLIT}, or move it elsewhere")


def _step(slices: Sequence[Slice], folder: Path) -> npt.NDArray[np.float64]:
    """From one slice to the next, in LPS, mm.

    Raises:
        UnreadableVolume: the slices are no even stack along their normal.
    """
    normal = slices[0].normal
    positions = np.array([each.position for each in slices])
    along = positions @ normal
    gaps = np.diff(along)
    _require_even(along, gaps, folder)
    if any(each.tilted for each in slices) or _sheared(positions, along, normal):
        raise UnreadableVolume(folder, "was taken with a tilted gantry, so its slices are sheared", _UNTILT)
    return np.asarray(normal * (along[-1] - along[0]) / len(gaps))


def _sheared(
    positions: npt.NDArray[np.float64], along: npt.NDArray[np.float64], normal: npt.NDArray[np.float64]
) -> bool:
    """Whether the line through the first voxels leaves the normal, all in all or at one slice."""
    sideways = positions - along[:, None] * normal
    total = float(np.linalg.norm(sideways[-1] - sideways[0]))
    jumps = np.linalg.norm(np.diff(sideways, axis=0), axis=1)
    return total > _SHEAR * (along[-1] - along[0]) or bool(jumps.max() > _JUMP_MM)


def _require_even(along: npt.NDArray[np.float64], gaps: npt.NDArray[np.float64], folder: Path) -> None:
    usual = float(np.median(gaps))
    odd = np.flatnonzero(np.abs(gaps - usual) > max(_UNEVEN_MM, _UNEVEN * usual))
    same = np.flatnonzero(gaps < _UNEVEN_MM)
    if same.size:
        where = f"{along[same[0]]:g} mm"
        raise UnreadableVolume(
            folder,
            f"has two slices at position {where}",
            f"{_SPLIT}, and each slice once; several phases in one file cannot be told apart",
        )
    if not odd.size:
        return
    first = odd[0]
    where, times = f"between positions {along[first]:g} and {along[first + 1]:g} mm", gaps[first] / usual
    if round(times) > 1 and abs(times - round(times)) <= _UNEVEN * round(times):
        missing = round(times) - 1
        what = "a slice is" if missing == 1 else f"{missing} slices are"
        more = f", and more at {odd.size - 1} other places" if odd.size > 1 else ""
        raise UnreadableVolume(folder, f"{what} missing {where}{more}", _AGAIN)
    problem = f"slices are unevenly spaced: {usual:g} mm apart, but {gaps[first]:g} mm {where}"
    raise UnreadableVolume(folder, problem, "give a series of one spacing, or one resampled to it")


def _affine(first: Slice, step: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = first.axes[0] * first.spacing[0], first.axes[1] * first.spacing[1]
    lps[:3, 2], lps[:3, 3] = step, first.position
    return _LPS_TO_RAS @ lps
