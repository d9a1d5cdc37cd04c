"""What the files of a case hold: the facts from which `checks` judges, gathered in one reading of each file.

The same reading hashes the file. Facts are numbers only; they are kept in a JSON file under the digests of the
contents, so that no content is read twice.

An organ's outline may lie beside a CT, as those of Pancreas-CT do. They were released without a grid to trust: whatever
their headers say, voxels are stored along the columns, rows and slices of the DICOM images, that is to the left, to the
back and up. Against a CT that a converter has stored from back to front (dcm2niix does), as their headers claim for
them too, they are upside down along y; so they are brought onto the CT's grid before they are judged.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.cohort import Digests
from medsearch.core import recipes
from medsearch.core.errors import Damaged
from medsearch.core.machine import concurrently
from medsearch.core.records import read_record, write_sealed
from medsearch.imaging.image_files import Contents, UnreadableVolume, Volume, read_files
from medsearch.imaging.nifti_geometry import HeaderGeometry
from medsearch.imaging.volumes import stored_volume

DIGESTS = "digests.json"
"""The file in the cache's folder that remembers what files hold; `cohorts.fingerprint` takes it, too."""
INSPECTION_VERSION = 4
"""Raised whenever the facts of an unchanged file would come out otherwise."""

_MOST_VALUES = 8
MASK, LABEL = "mask", "label"
"""What a case's files are called that are no images: its mask; and an outline beside it, which no task reads."""
AIR_HU, TISSUE_HU, DENSE_HU = -500.0, (-200.0, 200.0), 500.0
"""Below which HU there is only air, between which soft tissue and fat lie, and above which there are bone and metal."""
ROUNDING = 0.01
"""How far a label may lie from its number: masks stored as scaled or floating numbers come close only."""


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """One file: why it cannot be used (`problem`, `remedy`), or else its grid and its values.

    `affine` by rows (16 numbers); `header`: what a NIfTI header says of it; `content`: a digest of the voxels; `zeros`:
    the share of zero voxels; `air`, `tissue`, `dense`: the shares of voxels that would be air, soft tissue or fat, and
    bone or metal, if the values were HU (see `AIR_HU`, `TISSUE_HU`, `DENSE_HU`); `values`: the distinct non-zero values
    of a mask, rounded where that is all they lack, the first few.
    """

    problem: str | None = None
    remedy: str | None = None
    shape: tuple[int, ...] = ()
    affine: tuple[float, ...] = ()
    header: HeaderGeometry | None = None
    content: str = ""
    not_finite: int = 0
    low: float = 0.0
    high: float = 0.0
    zeros: float = 0.0
    air: float = 0.0
    tissue: float = 0.0
    dense: float = 0.0
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class CaseFacts:
    """A case's files by what they are.

    `outside`: the share of the mask's voxels where the first image is zero, or of the label's where it shows no soft
    tissue; -1 unknown.
    """

    files: Mapping[str, FileFacts]
    outside: float = -1.0


def inspect_cases(cases: Sequence[Mapping[str, Path]], cache: Path | None) -> list[CaseFacts]:
    """The facts of every case, given its files by what they are ("mask" or a contrast), two cases at a time.

    `cache`: the folder that remembers digests and facts; what is known there is not read again.
    """
    inspection = _Inspection(cache)
    try:
        return list(concurrently(inspection.case, cases))
    finally:  # interrupted, what was read so far is kept
        inspection.save()


class _Inspection:
    """What is known of cases by their contents, and what is read of the others: each file once, for both."""

    def __init__(self, cache: Path | None) -> None:
        self._digests = None if cache is None else Digests(cache / DIGESTS)
        self._file = None if cache is None else cache / f"inspections-{INSPECTION_VERSION}.json"
        self._known, self._changed = _remembered(self._file), False

    def case(self, files: Mapping[str, Path]) -> CaseFacts:
        """The facts of one case."""
        names: dict[str, str] = {}
        contents: dict[str, Contents] = {}
        faults: dict[str, FileFacts] = {}
        for kind, path in files.items():
            try:
                names[kind], contents[kind] = self._read(path)
            except UnreadableVolume as error:
                within = "" if error.path == path else f"{error.path.name} "
                faults[kind] = FileFacts(problem=f"{within}{error.problem}", remedy=error.remedy)
        key = recipes.fingerprint(names)
        if key not in self._known:
            self._known[key] = _inspect({kind: files[kind] for kind in names}, contents)
            self._changed = True
        return CaseFacts({**self._known[key].files, **faults}, self._known[key].outside)

    def save(self) -> None:
        """Write down what was read."""
        if self._digests is not None:
            self._digests.save()
        if self._file is not None and self._changed:
            write_sealed(self._file, self._known)

    def _read(self, path: Path) -> tuple[str, Contents]:
        """A name for a file's content, without a cache for its path; and its bytes, where they had to be read."""
        return (str(path), read_files(path)) if self._digests is None else self._digests.read(path)


def _remembered(file: Path | None) -> dict[str, CaseFacts]:
    if file is None:
        return {}
    try:
        return {key: _restored(plain) for key, plain in read_record(file).items()}
    except (FileNotFoundError, Damaged, TypeError, KeyError, AttributeError):  # none yet, or damaged: read again
        return {}


def _restored(plain: Any) -> CaseFacts:
    files: dict[str, FileFacts] = {}
    for kind, facts in plain["files"].items():
        header = facts.pop("header")
        files[kind] = FileFacts(header=header and HeaderGeometry(**_tuples(header)), **_tuples(facts))
    return CaseFacts(files, plain["outside"])


def _tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def _inspect(files: Mapping[str, Path], contents: dict[str, Contents]) -> CaseFacts:
    """The facts of files; the bytes of each are dropped once it is decoded."""
    facts: dict[str, FileFacts] = {}
    image: Volume | None = None
    outside = -1.0
    for kind, path in sorted(files.items(), key=lambda file: file[0] in (MASK, LABEL)):
        try:
            volume = stored_volume(path, contents.pop(kind))
            if kind == LABEL and image is not None:
                volume = on_image_grid(volume, image)
        except UnreadableVolume as error:
            facts[kind] = FileFacts(problem=error.problem, remedy=error.remedy)
            continue
        facts[kind] = _facts(volume)
        if kind in (MASK, LABEL):
            facts[kind] = dataclasses.replace(facts[kind], values=_values(volume.array))
            outside = -1.0 if image is None else _outside(image, volume) if kind == MASK else misfit(volume, image)
        elif image is None:
            image = volume
    return CaseFacts({kind: facts[kind] for kind in files}, outside)


def _facts(volume: Volume) -> FileFacts:
    array = volume.array
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.True_
    not_finite = 0 if np.all(finite) else int(np.count_nonzero(~finite))
    usable = array[finite] if not_finite else array
    return FileFacts(
        shape=tuple(int(size) for size in array.shape),
        affine=tuple(float(number) for number in volume.affine.ravel()),
        header=volume.header,
        content=_content(array),
        not_finite=not_finite,
        low=float(usable.min()) if usable.size else 0.0,
        high=float(usable.max()) if usable.size else 0.0,
        zeros=1 - np.count_nonzero(array) / array.size,
        air=np.count_nonzero(array < AIR_HU) / array.size,
        tissue=np.count_nonzero((array >= TISSUE_HU[0]) & (array <= TISSUE_HU[1])) / array.size,
        dense=np.count_nonzero(array > DENSE_HU) / array.size,
    )


def _content(array: npt.NDArray[Any]) -> str:
    """A digest of the voxels, whatever type and compression they were stored with."""
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array.T, dtype=np.float32).data)
    return digest.hexdigest()


def _values(array: npt.NDArray[Any]) -> tuple[float, ...]:
    found = np.unique(array[array != 0])
    found = found[np.isfinite(found)]
    labels = np.rint(found)
    values = np.unique(np.where(np.abs(found - labels) <= ROUNDING, labels, found))
    return tuple(float(value) for value in values[values != 0][:_MOST_VALUES])


def _outside(image: Volume, mask: Volume) -> float:
    """The share of the mask where the image is 0."""
    marked = np.rint(mask.array) > 0
    if image.array.shape != marked.shape or not marked.any():
        return -1.0
    return float(np.count_nonzero(marked & (image.array == 0)) / np.count_nonzero(marked))


SOFT_TISSUE = (-50.0, 200.0)
"""HU of an abdominal organ, with agent or without. Turned the wrong way, an outline of the pancreas mostly lies in fat,
though by chance it may fall on another organ."""

_LPS = np.diag([-1.0, -1.0, 1.0])
_SAME_MM = 0.5


def on_image_grid(outline: Volume, image: Volume) -> Volume:
    """An outline on the grid of its image: (x, y, z) as the image's, and the image's affine.

    An affine that is the image's is trusted; otherwise voxels are taken in the released order.

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
