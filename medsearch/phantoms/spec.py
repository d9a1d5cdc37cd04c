"""What a phantom cohort is made from, and how it becomes a folder: complete or not at all."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, TypeVar

from medsearch.cohorts.layouts.scans import PHANTOM_RECORD
from medsearch.core import recipes
from medsearch.core.errors import BadInput
from medsearch.core.machine import concurrently
from medsearch.core.ranges import NonNegativeInt, PositiveInt, Range
from medsearch.core.recipes import recipe
from medsearch.core.records import read_record, write_json

PHANTOM_VERSION = 1
"""Raised whenever the same specification yields other images."""


class Specification(Protocol):
    """What every phantom cohort is made from: a recipe of its own, by which the cohort is known."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change when the files of the cohort would."""
        ...

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        ...


Spec = TypeVar("Spec", bound=Specification)
T = TypeVar("T")


@recipe
class PhantomSpec:
    """A phantom cohort: `cases` subjects, the last `healthy` of them without a tumour, at `spacing` mm.

    `anatomy`: a folder of label maps (see `templates`) whose heads are used in turn, instead of MNI152.
    """

    cases: PositiveInt = 40
    spacing: Annotated[float, Range(0.5, 10)] = 4.0
    seed: NonNegativeInt = 0
    anatomy: str | None = None
    healthy: NonNegativeInt = 0

    layout: ClassVar[str] = "brats2020"

    def __post_init__(self) -> None:
        if self.healthy > self.cases:
            msg = f"no phantom has {self.cases} cases with {self.healthy} healthy among them; ask for more cases"
            raise BadInput(msg)

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        return self.cases

    @property
    def fingerprint(self) -> str:
        """Changes when the images would: with the specification, its version, or the content of the label maps."""
        from medsearch.phantoms.templates import label_maps

        maps = [] if self.anatomy is None else label_maps(Path(self.anatomy))
        digests = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in maps]
        plain = {**recipes.plain(self), "anatomy": digests, "version": PHANTOM_VERSION}
        return recipes.fingerprint(plain)


@recipe
class BraTS2021Spec(PhantomSpec):
    """The same people in the files of BraTS 2021."""

    layout: ClassVar[str] = "brats2021"

    @property
    def fingerprint(self) -> str:
        """Changes when the images would, or the layout."""
        return recipes.fingerprint([super().fingerprint, self.layout])


@recipe
class BraTS2023Spec(BraTS2021Spec):
    """The same people in the files of BraTS 2023, whose masks call enhancing tumour 3."""

    layout: ClassVar[str] = "brats2023"


def written(spec: Spec, root: Path, write: Callable[[Spec, Path], None]) -> Path:
    """Let `write` fill a folder aside, add the record, and rename it to `root`; returns `root`, also if it was there.

    Raises:
        BadInput: `root` holds something else.
    """
    if _is_written(spec, root):
        return root
    aside = root.with_name(f".{root.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        write(spec, aside)
        write_json(aside / PHANTOM_RECORD, {"fingerprint": spec.fingerprint, "spec": spec})
        try:
            aside.rename(root)
        except OSError:
            if not _is_written(spec, root):  # otherwise another process was faster with the same phantom
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return root


def each_subject(spec: PhantomSpec, write: Callable[[int], T]) -> dict[int, T]:
    """What `write` returns of every subject, by its number (from 0); those of one template are written together."""
    from medsearch.phantoms.templates import label_maps

    heads = 1 if spec.anatomy is None else len(label_maps(Path(spec.anatomy)))
    first, *others = sorted(range(spec.cases), key=lambda number: (number % heads, number))
    alone = {first: write(first)}  # so that its template is made once
    return alone | dict(zip(others, concurrently(write, others), strict=True))


def _is_written(spec: Specification, root: Path) -> bool:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    record = root / PHANTOM_RECORD
    if not record.is_file() or read_record(record).get("fingerprint") != spec.fingerprint:
        msg = f"{root}: holds something else than this phantom; give a new or empty folder"
        raise BadInput(msg)
    return True
