"""What the files of a case hold: the facts from which `checks` judges, gathered in one reading of each file.

The same reading hashes the file. Facts are numbers only; they are kept in a JSON file under the digests of the
contents, so that no content is read twice.

An organ's outline may lie beside a CT, as those of Pancreas-CT do. They were released without a grid to trust: whatever
their headers say, voxels are stored along the columns, rows and slices of the DICOM images, that is to the left, to the
back and up. Against a CT that a converter has stored from back to front (dcm2niix does), as their headers claim for
them too, they are upside down along y; so they are brought onto the CT's grid before they are judged.
"""

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
from medsearch.imaging.image_files import (
    Contents,
    HeaderGeometry,
    UnreadableVolume,
    Volume,
    directions,
    read_files,
)
from medsearch.imaging.volumes import stored_volume

DIGESTS = "digests.json"
"""The file in the cache's folder that remembers what files hold; `cohorts.cohort.fingerprint` takes it, too."""
INSPECTION_VERSION = 4
"""Raised whenever the facts of an unchanged file would come out otherwise."""

_MOST_VALUES = 8
MASK, LABEL = "mask", "label"
"""What a case's files are called that are no images: its mask; and an outline beside it, which no task reads."""
AIR_HU, TISSUE_HU, DENSE_HU = -500.0, (-200.0, 200.0), 500.0
"""Below which HU there is only air, between which soft tissue and fat lie, and above which there are bone and metal."""
ROUNDING = 0.01
"""How far a label may lie from its number: masks stored as scaled or floating numbers come close only."""
SOFT_TISSUE = (-50.0, 200.0)
"""HU of an abdominal organ, with agent or without. Turned the wrong way, an outline of the pancreas mostly lies in fat,
though by chance it may fall on another organ."""

_LPS = np.diag([-1.0, -1.0, 1.0])
_SAME_MM = 0.5


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

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The affine as a matrix (4, 4), from voxel indices to mm."""
        return np.array(self.affine, np.float64).reshape(4, 4)


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
    digests = None if cache is None else Digests(cache / DIGESTS)
    file = None if cache is None else cache / f"inspections-{INSPECTION_VERSION}.json"
    known = {} if file is None else _remembered(file)
    remembered = len(known)

    def inspected(files: Mapping[str, Path]) -> CaseFacts:
        names: dict[str, str] = {}  # of contents: by their digests, or by their paths where none are kept
        contents: dict[str, Contents] = {}
        faults: dict[str, FileFacts] = {}
        for kind, path in files.items():
            try:
                names[kind], contents[kind] = digests.read(path) if digests else (str(path), read_files(path))
            except UnreadableVolume as error:
                within = "" if error.path == path else f"{error.path.name} "
                faults[kind] = FileFacts(problem=f"{within}{error.problem}", remedy=error.remedy)
        key = recipes.fingerprint(names)
        if key not in known:
            known[key] = _inspect({kind: files[kind] for kind in names}, contents)
        return CaseFacts({**known[key].files, **faults}, known[key].outside)

    try:
        return list(concurrently(inspected, cases))
    finally:  # interrupted, what was read so far is kept
        if digests is not None:
            digests.save()
        if file is not None and len(known) > remembered:
            write_sealed(file, known)


def _remembered(file: Path) -> dict[str, CaseFacts]:
    """Facts kept in a file, by the contents of cases; none where it is missing or damaged: they are read again."""

    def tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
        return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}

    known: dict[str, CaseFacts] = {}
    try:
        for key, case in read_record(file).items():
            files: dict[str, FileFacts] = {}
            for kind, facts in case["files"].items():
                header = facts.pop("header")
                files[kind] = FileFacts(header=header and HeaderGeometry(**tuples(header)), **tuples(facts))
            known[key] = CaseFacts(files, case["outside"])
    except (FileNotFoundError, Damaged, TypeError, KeyError, AttributeError):
        return {}
    return known


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
        facts[kind] = _facts(volume, outline=kind in (MASK, LABEL))
        if kind == LABEL:
            outside = -1.0 if image is None else misfit(volume, image)
        elif kind == MASK:
            outside, marked = -1.0, np.rint(volume.array) > 0
            if image is not None and image.array.shape == marked.shape and marked.any():
                outside = float(np.count_nonzero(marked & (image.array == 0)) / np.count_nonzero(marked))
        elif image is None:
            image = volume
    return CaseFacts({kind: facts[kind] for kind in files}, outside)


def _facts(volume: Volume, *, outline: bool) -> FileFacts:
    """The grid and the values of a file that could be decoded; of an outline also its distinct values."""
    array = volume.array
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.True_
    not_finite = 0 if np.all(finite) else int(np.count_nonzero(~finite))
    usable = array[finite] if not_finite else array
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)  # whatever type the voxels are stored with
    digest.update(np.ascontiguousarray(array.T, dtype=np.float32).data)
    values = np.empty(0)
    if outline:
        values = np.unique(array[array != 0])
        values = values[np.isfinite(values)]
        labels = np.rint(values)
        values = np.unique(np.where(np.abs(values - labels) <= ROUNDING, labels, values))
    return FileFacts(
        shape=tuple(int(size) for size in array.shape),
        affine=tuple(float(number) for number in volume.affine.ravel()),
        header=volume.header,
        content=digest.hexdigest(),
        not_finite=not_finite,
        low=float(usable.min()) if usable.size else 0.0,
        high=float(usable.max()) if usable.size else 0.0,
        zeros=1 - np.count_nonzero(array) / array.size,
        air=np.count_nonzero(array < AIR_HU) / array.size,
        tissue=np.count_nonzero((array >= TISSUE_HU[0]) & (array <= TISSUE_HU[1])) / array.size,
        dense=np.count_nonzero(array > DENSE_HU) / array.size,
        values=tuple(float(value) for value in values[values != 0][:_MOST_VALUES]),
    )


def on_image_grid(outline: Volume, image: Volume) -> Volume:
    """An outline on the grid of its image: (x, y, z) as the image's, and the image's affine.

    An affine that is the image's is trusted; otherwise voxels are taken in the released order, along left, back and up.

    Raises:
        UnreadableVolume: the numbers of voxels differ.
    """
    array, ours = outline.array, image.affine
    if array.shape != image.array.shape or np.abs(outline.affine - ours).max() >= _SAME_MM:
        along = _LPS @ directions(ours)  # by rows: how far each of left, back and up goes along each axis of the image
        order = np.abs(along).argmax(axis=0)
        backwards = tuple(axis for axis in range(3) if along[order[axis], axis] < 0)
        array = np.flip(np.transpose(array, order), backwards)
    if array.shape != image.array.shape:
        voxels, theirs = ("x".join(map(str, shape)) for shape in (array.shape, image.array.shape))
        raise UnreadableVolume(outline.path, f"has {voxels} voxels, its CT {theirs}", "give the label of this very CT")
    return Volume(array=array, affine=ours, path=outline.path)


def misfit(outline: Volume, image: Volume) -> float:
    """The share of the outlined voxels that are no soft tissue in the image, both on one grid; -1 without any."""
    values = image.array[np.rint(outline.array) > 0]
    if not values.size:
        return -1.0
    return float(np.mean((values < SOFT_TISSUE[0]) | (values > SOFT_TISSUE[1])))
