"""Cohorts: which subjects there are, which files each has, and the fingerprint of what the files hold."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from medsearch.core import recipes
from medsearch.core.errors import Damaged, printable
from medsearch.core.machine import concurrently
from medsearch.core.records import read_record, write_sealed
from medsearch.imaging.image_files import Contents, UnreadableVolume, files_of, missing, read_bytes, read_files

Subset = Literal["source", "target", "test"]
"""Where a data set's own folders put a case."""


@dataclass(frozen=True)
class Case:
    """One subject's images, all on one grid, and the mask where there is one. An image is a file or a folder of slices.

    subset: what the data set's folders say of the case; None: the split draws. presence: the weak label, where it is
    given apart from a mask: whether there is tumour at low and at high x of LPS, the patient's right and left. patient:
    whose images these are, where one patient may have several cases; None: the subject's own.
    """

    subject: str
    images: Mapping[str, Path]
    mask: Path | None
    subset: Subset | None = None
    presence: tuple[bool, bool] | None = None
    patient: str | None = None

    @property
    def files(self) -> dict[str, Path]:
        """Every file of the case by what it is: the contrasts, and "mask"."""
        return {**self.images, **({} if self.mask is None else {"mask": self.mask})}


@dataclass(frozen=True)
class Roster:
    """Who can be divided into parts: all subjects, those whose subset is given, who has a mask, in what contrasts each
    has images, and whose images they are, where that is not the subject's own name.

    Masks matter for the validation of target cases only; where no subset is given, all subjects are taken to have one.
    """

    subjects: tuple[str, ...]
    assigned: Mapping[str, Subset] = field(default_factory=dict)
    annotated: frozenset[str] = frozenset()
    contrasts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """The cases under one folder. `phantom`: the images were computed, so no result on them reproduces a paper's."""

    name: str
    root: Path
    layout: str
    contrasts: tuple[str, ...]
    cases: tuple[Case, ...]
    phantom: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subject identifiers in the order of the cases."""
        return tuple(case.subject for case in self.cases)

    @property
    def roster(self) -> Roster:
        """What a split needs to know of the cases."""
        return Roster(
            self.subjects,
            {case.subject: case.subset for case in self.cases if case.subset is not None},
            frozenset(case.subject for case in self.cases if case.mask is not None),
            {case.subject: tuple(case.images) for case in self.cases},
            {case.subject: case.patient for case in self.cases if case.patient is not None},
        )

    def without(self, subjects: Collection[str]) -> "Cohort":
        """The cohort with these subjects left out."""
        return replace(self, cases=tuple(case for case in self.cases if case.subject not in set(subjects)))

    def only(self, contrasts: Collection[str]) -> "Cohort":
        """The cohort as if it had no other contrasts than these."""
        kept = tuple(contrast for contrast in self.contrasts if contrast in contrasts)
        cases = (replace(case, images={c: path for c, path in case.images.items() if c in kept}) for case in self.cases)
        return replace(self, contrasts=kept, cases=tuple(cases))


@dataclass(frozen=True)
class Finding:
    """One fault of a cohort: whose, in which file, what, and what to do. A fatal one excludes the subject.

    A fatal finding without a subject (the folder is missing, say) refuses the whole cohort.
    """

    subject: str | None
    file: Path | None
    problem: str
    remedy: str
    fatal: bool = True

    def __str__(self) -> str:
        where = ": ".join(str(part) for part in (self.subject, self.file) if part is not None)
        line = f"{'error' if self.fatal else 'warning'}: {where}: {self.problem}; {self.remedy}"
        return printable(line)


class Digests:
    """Hashes of what files hold, remembered in a JSON file as long as path, size and modification time stay.

    A folder's is over the contents of its files, whatever they are called.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._changed = False
        try:
            self._known: dict[str, str] = read_record(cache)
        except (FileNotFoundError, Damaged):  # none yet, or damaged: hashing again restores it
            self._known = {}

    def of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The digest of every file's bytes, or every folder's files.

        Raises:
            UnreadableVolume: a file cannot be read.
        """
        keys = {path: _state(path) for path in paths}
        for _ in concurrently(self.read, [path for path, key in keys.items() if key not in self._known]):
            pass
        self.save()
        return {path: self._known[key] for path, key in keys.items()}

    def read(self, path: Path) -> tuple[str, dict[Path, bytes]]:
        """The digest of a file or folder, and the bytes that were read for it: none of what is known already.

        Raises:
            UnreadableVolume: a file is missing, empty, or may not be read.
        """
        key = _state(path)
        if key in self._known:
            for file in files_of(path):
                if not file.is_dir():
                    read_bytes(file, limit=1)
            return self._known[key], {}
        contents = read_files(path)
        self._known[key], self._changed = _digest(path, contents), True
        return self._known[key], contents

    def save(self) -> None:
        """Remember what was hashed since the file was read."""
        if self._changed:
            write_sealed(self._cache, self._known)
            self._changed = False


def fingerprint(cohort: Cohort, digests_cache: Path) -> str:
    """Sixteen hex digits over the subjects and the contents of their files.

    Moving the folder does not change it; leaving out a case, or changing one byte of one, does.

    Raises:
        UnreadableVolume: a file of the cohort cannot be read.
    """
    digests = Digests(digests_cache).of(path for case in cohort.cases for path in case.files.values())
    content: list[tuple[object, ...]] = []
    for case in sorted(cohort.cases, key=lambda case: case.subject):
        files = {kind: digests[path] for kind, path in case.files.items()}
        known = {"part": case.subset, "presence": case.presence}  # apart from its files
        content.append((case.subject, files, *([known] if set(known.values()) != {None} else [])))
    return recipes.fingerprint({"contrasts": cohort.contrasts, "cases": content})


def _state(path: Path) -> str:
    """What a file or folder is known by while nobody has changed it."""
    try:
        states = [(entry.name, entry.stat()) for entry in files_of(path)]
    except FileNotFoundError:
        raise UnreadableVolume(path, *missing(path)) from None
    except OSError as error:
        raise UnreadableVolume(path, f"cannot be read ({type(error).__name__})", "check its permissions") from None
    if not path.is_dir():
        return f"{path.resolve()}:{states[0][1].st_size}:{states[0][1].st_mtime_ns}"
    listed = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in states]
    return f"{path.resolve()}:{recipes.fingerprint(listed)}"


def _digest(path: Path, contents: Contents) -> str:
    if path.is_dir():
        return recipes.fingerprint(sorted(_digest(entry, contents) for entry in files_of(path)))
    content = contents[path] if path in contents else read_bytes(path)
    return hashlib.blake2b(content, digest_size=16).hexdigest()
