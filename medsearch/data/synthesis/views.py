"""A synthesis task as one stage may see it: the parts that the stage declared to read, and nothing else.

A part is named "<side>.<split>.images": "source.train.images", or "paired.test.images", of which each case has an image
in both contrasts. Only pairs know the task's direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput, UndeclaredRead
from medsearch.core.recipes import fingerprint, plain
from medsearch.data.axial import AxialGeometry
from medsearch.data.cohorts import Roster
from medsearch.data.synthesis.prepared import VERSION, PreparedStacks
from medsearch.data.synthesis.task import SynthesisSplit, SynthesisTask, split
from medsearch.data.undeclared import undeclared

Side = Literal["source", "target"]
Stack = NDArray[np.float32]

SIDES: tuple[Side, ...] = ("source", "target")

PARTS = frozenset(
    {
        *(f"{side}.{name}.images" for side in SIDES for name in ("train", "validation")),
        *(f"paired.{name}.images" for name in ("validation", "test")),
    }
)


@dataclass(frozen=True)
class Abdomen:
    """The abdominal slices of one image, superior first, mapped from disk.

    hu: (Z, Y, X) HU. body: (Z, Y, X), 1 in the body. window: the HU that -1 and 1 stand for. spacing: (z, y, x), mm.
    """

    subject: str
    hu: NDArray[np.int16]
    body: NDArray[np.uint8]
    window: tuple[float, float]
    spacing: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.hu)

    def images(self, slices: Any = slice(None)) -> Stack:
        """(n, Y, X) in [-1, 1]; `slices` indexes the stack."""
        low, high = self.window
        clipped = np.clip(self.hu[slices], low, high).astype(np.float32)
        scaled: Stack = (clipped - np.float32(low)) * np.float32(2 / (high - low)) - 1
        return scaled

    def bodies(self, slices: Any = slice(None)) -> Stack:
        """(n, Y, X) of 0 and 1."""
        mask: Stack = self.body[slices].astype(np.float32)
        return mask


@dataclass(frozen=True)
class SynthesisView:
    """A synthesis task over prepared stacks, limited to the parts in `reads`."""

    prepared: PreparedStacks
    task: SynthesisTask
    reads: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse parts that do not exist."""
        for part in sorted(self.reads):
            require_part(part)

    @property
    def geometry(self) -> AxialGeometry:
        """The task's sizes."""
        return self.task.geometry

    @cached_property
    def _split(self) -> SynthesisSplit:
        return split(self.task, self.prepared.roster)

    def require_served(self) -> None:
        """Refuse a case that lacks what a declared part needs of it, before anything is trained on the others.

        Raises:
            BadInput: an image is missing, or a part has no case.

        """
        for part in sorted(self.reads):
            members = _members(self._split, part)
            if not members:
                remedy = "add pairs, or change task.validation_pairs" if part.startswith("paired") else "add cases"
                msg = f"no case is in {part}, which a stage reads; {remedy}"
                raise BadInput(msg)
            for subject in members:
                for contrast in _contrasts(self.task, part).values():
                    self.prepared.measured(subject, contrast)

    def subjects(self, side: Side, name: Literal["train", "validation"]) -> tuple[str, ...]:
        """Who is in this part, in the split's order.

        Raises:
            UndeclaredRead: it was not declared.

        """
        return self._declared(f"{side}.{name}.images")

    def abdomen(self, side: Side, name: Literal["train", "validation"], subject: str) -> Abdomen:
        """One unpaired case.

        Raises:
            UndeclaredRead: the part was not declared.
            BadInput: the subject is not in it.

        """
        part = f"{side}.{name}.images"
        self._require_member(part, subject)
        return self._abdomen(subject, _contrasts(self.task, part)[side])

    def pairs(self, name: Literal["validation", "test"]) -> tuple[str, ...]:
        """Whose images there are in both contrasts.

        Raises:
            UndeclaredRead: the part was not declared.

        """
        return self._declared(f"paired.{name}.images")

    def pair(self, name: Literal["validation", "test"], subject: str) -> tuple[Abdomen, Abdomen]:
        """What is given and what is wanted, in the task's direction, over the abdomen of the given image.

        Raises:
            UndeclaredRead: the part was not declared.
            BadInput: the subject is not in it, or its two images are not on one grid.

        """
        part = f"paired.{name}.images"
        self._require_member(part, subject)
        given, wanted = (self.prepared.stack(subject, one) for one in (self.task.given, self.task.wanted))
        if given.shape != wanted.shape:
            msg = (
                f"case {subject}: {self.task.given} has {given.shape} slices, rows and columns, {self.task.wanted} "
                f"{wanted.shape}; bring the pair onto one grid"
            )
            raise BadInput(msg)
        where = self._region(subject, self.task.given)
        return self._abdomen(subject, self.task.given, where), self._abdomen(subject, self.task.wanted, where)

    def _declared(self, part: str) -> tuple[str, ...]:
        if part not in self.reads:
            raise UndeclaredRead(undeclared(part, self.reads))
        return _members(self._split, part)

    def _require_member(self, part: str, subject: str) -> None:
        if subject not in self._declared(part):
            msg = f"subject {subject!r} is not in {part}; ask the view for those that are"
            raise BadInput(msg)

    def _region(self, subject: str, contrast: str) -> slice:
        first, last = self.prepared.measured(subject, contrast)["region"]
        return slice(first, last + 1)

    def _abdomen(self, subject: str, contrast: str, where: slice | None = None) -> Abdomen:
        where = where or self._region(subject, contrast)
        deep, high, wide = self.prepared.measured(subject, contrast)["spacing"]
        return Abdomen(
            subject,
            self.prepared.stack(subject, contrast)[where],
            self.prepared.body(subject, contrast)[where],
            self.geometry.window,
            (deep, high, wide),
        )


def part_fingerprint(task: SynthesisTask, cohort: str, roster: Roster, part: str) -> str:
    """Changes when what `part` holds does, and with it whenever any file of the cohort does; reads no array.

    cohort: the fingerprint of the files. roster: who is included.

    Raises:
        BadInput: no such part.

    """
    require_part(part)
    return fingerprint(
        {
            "kind": "stacks",
            "version": VERSION,
            "cohort": cohort,
            "geometry": plain(task.geometry),
            "rules": [task.body, task.region],
            "subjects": _members(split(task, roster), part),
            "contrasts": _contrasts(task, part),
        }
    )


def require_part(part: str) -> None:
    """Refuse a part that does not exist.

    Raises:
        BadInput: it does not.

    """
    if part not in PARTS:
        msg = f"no part {part!r} in a synthesis task; there are {', '.join(sorted(PARTS))}"
        raise BadInput(msg)


def _members(drawn: SynthesisSplit, part: str) -> tuple[str, ...]:
    side, name, _ = part.split(".")
    members: tuple[str, ...] = getattr(drawn, f"{name}_{side}")
    return members


def _contrasts(task: SynthesisTask, part: str) -> Mapping[str, str]:
    """What a part's cases must have, by what it is."""
    side = part.partition(".")[0]
    if side == "paired":
        return {"given": task.given, "wanted": task.wanted}
    return {side: task.source if side == "source" else task.target}
