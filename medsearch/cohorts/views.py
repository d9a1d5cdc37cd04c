"""A task as one stage may see it: the parts that the stage declared to read, and nothing else.

A part is named "<domain>.<split>.<kind>", such as "target.train.images" or "paired.test.images". What a stage reads
decides its key, so a read outside the declaration raises, whether by mistake or to peek at target labels. A `TaskView`
shows volumes on one grid, a `SynthesisView` stacks of slices, each on its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.prepared import Prepared, PreparedStacks, PreparedVolumes
from medsearch.cohorts.tasks import DOMAINS as DOMAINS
from medsearch.cohorts.tasks import KINDS, SPLITS, CrossModalityTask, Question, Split, SynthesisTask, Task, split
from medsearch.cohorts.tasks import Domain as Domain
from medsearch.cohorts.tasks import SplitName as SplitName
from medsearch.core.errors import BadInput, UndeclaredRead
from medsearch.core.recipes import fingerprint
from medsearch.imaging.geometry import AxialGeometry, Box, Geometry, Shape, Spacing

Stack = NDArray[np.float32]

T = TypeVar("T", bound=Task)
P = TypeVar("P", bound=Prepared)


@dataclass(frozen=True)
class View(ABC, Generic[T, P]):
    """A task over prepared arrays, limited to the parts in `reads`.

    Raises:
        BadInput: the task has no such part.

    """

    prepared: P
    task: T
    reads: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse parts that do not exist."""
        for part in sorted(self.reads):
            require_part(self.task, part)

    @cached_property
    def _split(self) -> Split:
        return split(self.task, self.prepared.roster)

    def subjects(self, domain: str, split: SplitName) -> tuple[str, ...]:
        """Who is in "<domain>.<split>", in the split's order.

        Raises:
            UndeclaredRead: no kind of this part was declared.

        """
        where = f"{domain}.{split}"
        parts = [part for part in self.task.parts if part.startswith(f"{where}.")]
        if not self.reads.intersection(parts):
            raise UndeclaredRead(self._undeclared(parts[0] if len(parts) == 1 else where))
        return self._split.members(where)

    def require_served(self) -> None:
        """Refuse a case that lacks what a declared part needs of it, before anything is trained on the others.

        Raises:
            BadInput: an image, a mask or a weak label is missing, or a part that must have a case has none.

        """
        for part in sorted(self.reads):
            self._serve(part, self._split.members(part))

    @abstractmethod
    def _serve(self, part: str, subjects: tuple[str, ...]) -> None:
        """Refuse one of a part's cases that lacks what the part is."""

    def _require_member(self, part: str, subject: str) -> None:
        """Refuse a part that was not declared, and a subject that is not in it."""
        if part not in self.reads:
            raise UndeclaredRead(self._undeclared(part))
        if subject not in self._split.members(part):
            msg = f"subject {subject!r} is not in {part}; ask the view for those that are"
            raise BadInput(msg)

    def _undeclared(self, part: str) -> str:
        reads = sorted(self.reads)
        return f"part {part!r} was not declared; the stage reads {reads}: add the part to its reads() or leave it"


@dataclass(frozen=True)
class TaskView(View[CrossModalityTask, PreparedVolumes]):
    """A segmentation over volumes on one grid."""

    @property
    def geometry(self) -> Geometry:
        """The voxels, slices and crops that the task sets."""
        return self.task.geometry

    @property
    def shape(self) -> Shape:
        """(Z, Y, X) of every volume."""
        return self.prepared.shape

    @property
    def spacing(self) -> Spacing:
        """Voxel size along z, y and x, mm."""
        return self.prepared.spacing

    def image(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.float32]:
        """One volume of the domain's contrast, (Z, Y, X) in [-1, 1], background 0."""
        volume: NDArray[np.float32] = self.mapped_image(domain, split, subject).astype(np.float32)
        return volume

    def mapped_image(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.float16]:
        """As `image`, but the read-only array on disk: nothing is read until a part of it is copied."""
        index = self._index(domain, split, "images", subject)
        contrast = self.task.contrasts(f"{domain}.{split}.images")[domain]
        if contrast not in self.prepared.case(subject)["statistics"]:
            msg = f"case {subject} has no {contrast} image; exclude it or add the file"
            raise BadInput(msg)
        volume: NDArray[np.float16] = self.prepared.image(contrast)[index]
        return volume

    def mask(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.uint8] | None:
        """The whole tumour, (Z, Y, X) of 0 and 1.

        None when the task keeps this training subject unlabelled, and for a test subject that has no mask.
        """
        mapped = self.mapped_mask(domain, split, subject)
        return None if mapped is None else np.array(mapped)

    def mapped_mask(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.uint8] | None:
        """As `mask`, but the read-only array on disk."""
        index = self._index(domain, split, "masks", subject)
        if split == "train" and subject not in self._split.members(f"{domain}.labelled"):
            return None
        if split == "test" and not self.prepared.case(subject)["annotated"]:
            return None
        self._require_annotation(subject)
        marked: NDArray[np.uint8] = self.prepared.mask[index]
        return marked

    def presence(self, domain: Domain, split: SplitName, subject: str) -> tuple[bool, bool]:
        """Whether there is tumour at low and at high x: the weak label (section 5.5.1), as given or from the mask.

        Raises:
            BadInput: the case has neither.

        """
        index = self._index(domain, split, "presence", subject)
        weak = self.prepared.case(subject).get("weak_label")
        if weak is None:
            self._require_annotation(subject, "neither a weak label nor a mask", "the file or a weak label")
        low, high = self.prepared.presence[index] if weak is None else weak
        return bool(low), bool(high)

    def tumour_areas(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.int64]:
        """The weak label of every axial slice for methods that see slices: tumour voxels at low and high x, (2, Z)."""
        index = self._index(domain, split, "presence", subject)
        lack = "no mask, and a weak label tells of halves alone, not of slices"
        self._require_annotation(subject, lack, "the mask, take a method that sees volumes")
        marked = self.prepared.mask[index]
        middle = marked.shape[2] // 2
        return np.stack([np.count_nonzero(half, (1, 2)) for half in (marked[..., :middle], marked[..., middle:])])

    def box(self, subject: str) -> Box:
        """The voxels (low, high) along z, y and x between which the subject's brain lies, over all contrasts."""
        return self.prepared.boxes[self.prepared.index(subject)]

    def _serve(self, part: str, subjects: tuple[str, ...]) -> None:
        domain, name, kind = part.split(".")
        serve = {"images": self.mapped_image, "masks": self.mapped_mask, "presence": self.presence}[kind]
        for subject in subjects:
            serve(cast(Domain, domain), cast(SplitName, name), subject)

    def _index(self, domain: Domain, split: SplitName, kind: str, subject: str) -> int:
        self._require_member(f"{domain}.{split}.{kind}", subject)
        return self.prepared.index(subject)

    def _require_annotation(self, subject: str, lack: str = "no mask", remedy: str = "the file") -> None:
        if not self.prepared.case(subject)["annotated"]:
            msg = f"case {subject} has {lack}, but the task needs it; add {remedy}, or exclude the case"
            raise BadInput(msg)


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
class SynthesisView(View[SynthesisTask, PreparedStacks]):
    """A synthesis over stacks of axial slices: unpaired cases to train on, pairs to validate and test on."""

    @property
    def geometry(self) -> AxialGeometry:
        """The size of slices and the window of HU that the task sets."""
        return self.task.geometry

    def abdomen(self, domain: Domain, name: Literal["train", "validation"], subject: str) -> Abdomen:
        """One unpaired case.

        Raises:
            UndeclaredRead: the part was not declared.
            BadInput: the subject is not in it.

        """
        part = f"{domain}.{name}.images"
        self._require_member(part, subject)
        contrast = self.task.contrasts(part)[domain]
        return self._abdomen(subject, contrast, contrast)

    def pairs(self, name: Literal["validation", "test"]) -> tuple[str, ...]:
        """Whose images there are in both contrasts.

        Raises:
            UndeclaredRead: the part was not declared.

        """
        return self.subjects("paired", name)

    def pair(self, name: Literal["validation", "test"], subject: str) -> tuple[Abdomen, Abdomen]:
        """What is given and what is wanted, in the task's direction, over the abdomen of the given image.

        Raises:
            UndeclaredRead: the part was not declared.
            BadInput: the subject is not in it, or its two images are not on one grid.

        """
        self._require_member(f"paired.{name}.images", subject)
        contrasts = self.task.given, self.task.wanted
        given, wanted = (self.prepared.stack(subject, contrast) for contrast in contrasts)
        if given.shape != wanted.shape:
            msg = (
                f"case {subject}: {self.task.given} has {given.shape} slices, rows and columns, {self.task.wanted} "
                f"{wanted.shape}; bring the pair onto one grid"
            )
            raise BadInput(msg)
        shown, hidden = (self._abdomen(subject, contrast, self.task.given) for contrast in contrasts)
        return shown, hidden

    def _serve(self, part: str, subjects: tuple[str, ...]) -> None:
        if not subjects:
            remedy = "add pairs, or change task.validation_pairs" if part.startswith("paired") else "add cases"
            msg = f"no case is in {part}, which a stage reads; {remedy}"
            raise BadInput(msg)
        for subject in subjects:
            for contrast in self.task.contrasts(part).values():
                self.prepared.measured(subject, contrast)

    def _abdomen(self, subject: str, contrast: str, found_in: str) -> Abdomen:
        """The slices of one contrast that are abdomen in the contrast `found_in`."""
        first, last = self.prepared.measured(subject, found_in)["region"]
        where = slice(first, last + 1)
        deep, high, wide = self.prepared.measured(subject, contrast)["spacing"]
        return Abdomen(
            subject,
            self.prepared.stack(subject, contrast)[where],
            self.prepared.body(subject, contrast)[where],
            self.geometry.window,
            (deep, high, wide),
        )


def view(prepared: Prepared, task: Task, reads: frozenset[str]) -> TaskView | SynthesisView:
    """The task over its arrays, limited to the parts in `reads`.

    Raises:
        BadInput: the task has no such part.
        TypeError: the arrays are another task's.

    """
    match task, prepared:
        case CrossModalityTask(), PreparedVolumes():
            return TaskView(prepared, task, reads)
        case SynthesisTask(), PreparedStacks():
            return SynthesisView(prepared, task, reads)
        case _:
            msg = f"{type(prepared).__name__} holds no arrays for a {type(task).__name__}"
            raise TypeError(msg)


def whole(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """The parts that hold everything of a domain's split: images, masks and weak labels."""
    return tuple(f"{domain}.{split}.{kind}" for kind in KINDS)


def domains(parts: Iterable[str]) -> dict[str, str]:
    """Whose cases each split is about, for naming what is measured on them: source, target, both or pseudo-target.

    Training is about all that it reads, a score about the masks it is held against; source masks without source images
    belong to translated images.
    """
    read = frozenset(parts)
    owners: dict[str, str] = {}
    for name in SPLITS:
        kinds = KINDS if name == "train" else ("masks",)
        here = [domain for domain in DOMAINS if any(f"{domain}.{name}.{kind}" in read for kind in kinds)]
        if here:
            owners[name] = here[0] if len(here) == 1 else "both"
        if here == ["source"] and f"source.{name}.images" not in read:
            owners[name] = "pseudo-target"
    return owners


def require_part(task: Task, part: str) -> None:
    """Refuse a part that does not exist.

    Raises:
        BadInput: the task has none of that name.

    """
    if part not in task.parts:
        msg = f"no part {part!r} in a {type(task).__name__}; there are {', '.join(sorted(task.parts))}"
        raise BadInput(msg)


def part_fingerprint(task: Task, cohort: str, roster: Roster, part: str) -> str:
    """Changes when what `part` holds does, and with it whenever any file of the cohort does; reads no array.

    cohort: the fingerprint of the files. roster: who is included.

    Raises:
        BadInput: the task has no such part.

    """
    return _fingerprint(Question(repr(task), roster, task), cohort, part)


@lru_cache(maxsize=10_000)
def _fingerprint(question: Question, cohort: str, part: str) -> str:
    """As `part_fingerprint`, which a plan asks thousands of times."""
    task = question.task
    require_part(task, part)
    drawn = split(task, question.roster)
    held = {"cohort": cohort, "version": task.arrays.VERSION, "subjects": drawn.members(part)}
    return fingerprint({**held, **task.content(part, drawn)})
