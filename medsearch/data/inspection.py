"""What the files of a case hold: the facts from which `checks` judges, gathered in one reading of each file.

Facts are numbers only. They are kept in a JSON file under the digests of the contents: no content is read twice.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsearch.core import recipes
from medsearch.core.errors import Damaged
from medsearch.core.records import read_record, write_sealed
from medsearch.data.cohorts import Digests
from medsearch.data.concurrency import concurrently
from medsearch.data.nifti_geometry import HeaderGeometry
from medsearch.data.outlines import laid_on, misfit
from medsearch.data.volumes import UnreadableVolume, Volume, files_of, read_bytes, stored_volume

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

    `cache`: the folder that remembers digests and facts.
    """
    reachable = [_reachable(files) for files in cases]
    known, keys = _remembered(cache), _keys([good for good, _ in reachable], cache)
    unknown = [number for number, key in enumerate(keys) if key not in known]
    fresh = concurrently(lambda number: _inspect(reachable[number][0]), unknown)
    try:
        known.update((keys[number], facts) for number, facts in zip(unknown, fresh, strict=True))
    finally:  # interrupted, what was read so far is kept
        if cache is not None and unknown:
            write_sealed(_facts_file(cache), known)
    return [
        CaseFacts({**known[key].files, **faults}, known[key].outside)
        for key, (_, faults) in zip(keys, reachable, strict=True)
    ]


def _reachable(files: Mapping[str, Path]) -> tuple[dict[str, Path], dict[str, FileFacts]]:
    """The files that can be opened, and what is wrong with the others."""
    good, faults = {}, {}
    for kind, path in files.items():
        try:
            for file in files_of(path):
                if not file.is_dir():
                    read_bytes(file, limit=1)
            good[kind] = path
        except UnreadableVolume as error:
            within = "" if error.path == path else f"{error.path.name} "
            faults[kind] = FileFacts(problem=f"{within}{error.problem}", remedy=error.remedy)
    return good, faults


def _keys(cases: Sequence[Mapping[str, Path]], cache: Path | None) -> list[str]:
    """A name for the content of each case; without a cache, for its paths."""
    paths: Iterable[Path] = (path for files in cases for path in files.values())
    names = {path: str(path) for path in paths} if cache is None else Digests(cache / "digests.json").of(paths)
    return [recipes.fingerprint({kind: names[path] for kind, path in files.items()}) for files in cases]


def _facts_file(cache: Path) -> Path:
    return cache / f"inspections-{INSPECTION_VERSION}.json"


def _remembered(cache: Path | None) -> dict[str, CaseFacts]:
    if cache is None:
        return {}
    try:
        return {key: _restored(plain) for key, plain in read_record(_facts_file(cache)).items()}
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


def _inspect(files: Mapping[str, Path]) -> CaseFacts:
    facts: dict[str, FileFacts] = {}
    image: Volume | None = None
    outside = -1.0
    for kind, path in sorted(files.items(), key=lambda file: file[0] in (MASK, LABEL)):
        try:
            volume = stored_volume(path)
            if kind == LABEL and image is not None:
                volume = laid_on(volume, image)
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
