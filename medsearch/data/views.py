"""A task as one stage may see it: the parts that the stage declared to read, and nothing else.

A part is named "<domain>.<split>.<kind>", such as "target.train.images". What a stage reads decides its key, so a read
outside the declaration raises, whether by mistake or to peek at target labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput, UndeclaredRead
from medsearch.core.recipes import fingerprint, plain
from medsearch.data.cohorts import Roster
from medsearch.data.geometry import Box, Geometry, Spacing, Triple
from medsearch.data.prepared import VERSION, PreparedCohort
from medsearch.data.tasks import CrossModalityTask, Split, split
from medsearch.data.undeclared import undeclared

Domain = Literal["source", "target"]
SplitName = Literal["train", "validation", "test"]

DOMAINS = ("source", "target")
SPLITS = ("train", "validation", "test")
KINDS = ("images", "masks", "presence")
PARTS = frozenset(".".join(names) for names in product(DOMAINS, SPLITS, KINDS))


@dataclass(frozen=True)
class TaskView:
    """A task over prepared arrays, limited to the parts in `reads`."""

    prepared: PreparedCohort
    task: CrossModalityTask
    reads: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse parts that do not exist."""
        for part in sorted(self.reads - PARTS):
            _parsed(part)

    @property
    def geometry(self) -> Geometry:
        """The task's sizes."""
        return self.task.geometry

    @property
    def shape(self) -> Triple:
        """(Z, Y, X) of every volume."""
        return self.prepared.shape

    @property
    def spacing(self) -> Spacing:
        """Voxel size along z, y and x, mm."""
        return self.prepared.spacing

    @cached_property
    def _split(self) -> Split:
        return split(self.task, self.prepared.roster)

    def require_served(self) -> None:
        """Refuse a case that lacks what a declared part needs of it, before anything is trained on the others.

        Raises:
            BadInput: an image, a mask or a weak label is missing.

        """
        for domain, name, kind in map(_parsed, sorted(self.reads)):
            serve = {"images": self.mapped_image, "masks": self.mapped_mask, "presence": self.presence}[kind]
            for subject in _members(self._split, domain, name):
                serve(domain, name, subject)

    def subjects(self, domain: Domain, split: SplitName) -> tuple[str, ...]:
        """Who is in this part, in the split's order.

        Raises:
            UndeclaredRead: no kind of this part was declared.

        """
        if not any(f"{domain}.{split}.{kind}" in self.reads for kind in KINDS):
            raise UndeclaredRead(undeclared(f"{domain}.{split}", self.reads))
        return _members(self._split, domain, split)

    def image(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.float32]:
        """One volume of the domain's contrast, (Z, Y, X) in [-1, 1], background 0."""
        volume: NDArray[np.float32] = self.mapped_image(domain, split, subject).astype(np.float32)
        return volume

    def mapped_image(self, domain: Domain, split: SplitName, subject: str) -> NDArray[np.float16]:
        """As `image`, but the read-only array on disk: nothing is read until a part of it is copied."""
        index = self._index(domain, split, "images", subject)
        contrast = _contrast(self.task, domain)
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
        if split == "train" and subject not in _labelled(self._split, domain):
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
        """The subject's brain box, voxels."""
        return self.prepared.boxes[self.prepared.index(subject)]

    def _index(self, domain: Domain, split: SplitName, kind: str, subject: str) -> int:
        part = f"{domain}.{split}.{kind}"
        if part not in self.reads:
            raise UndeclaredRead(undeclared(part, self.reads))
        if subject not in _members(self._split, domain, split):
            msg = f"subject {subject!r} is not in {domain}.{split}; ask TaskView.subjects for those that are"
            raise BadInput(msg)
        return self.prepared.index(subject)

    def _require_annotation(self, subject: str, lack: str = "no mask", remedy: str = "the file") -> None:
        if not self.prepared.case(subject)["annotated"]:
            msg = f"case {subject} has {lack}, but the task needs it; add {remedy}, or exclude the case"
            raise BadInput(msg)


def whole(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """The parts that hold everything of a domain's split: images, masks and weak labels."""
    return tuple(f"{domain}.{split}.{kind}" for kind in KINDS)


def domains(parts: Iterable[str]) -> dict[str, str]:
    """Whose cases each split is about, for naming what is measured on them: source, target, both or pseudo-target.

    Training is about all that it reads, a score about the masks it is held against; source masks without source images
    belong to translated images.
    """
    read = frozenset(parts)
    found = {}
    for name in SPLITS:
        kinds = KINDS if name == "train" else ("masks",)
        here = [domain for domain in DOMAINS if any(f"{domain}.{name}.{kind}" in read for kind in kinds)]
        if here:
            found[name] = here[0] if len(here) == 1 else "both"
        if here == ["source"] and f"source.{name}.images" not in read:
            found[name] = "pseudo-target"
    return found


def part_fingerprint(task: CrossModalityTask, cohort: str, roster: Roster, part: str) -> str:
    """Changes when what `part` holds does, and with it whenever any file of the cohort does; reads no array.

    cohort: the fingerprint of the files. roster: who is included.

    Raises:
        BadInput: no such part.

    """
    return _fingerprint(_Asked(repr(task), cohort, part, roster, task))


@dataclass(frozen=True)
class _Asked:
    """A question that a plan asks thousands of times. Tasks go by what they show: 1 and 1.0 are equal, keys are not."""

    shown: str
    cohort: str
    part: str
    roster: Roster = field(hash=False)
    task: CrossModalityTask = field(compare=False)


@lru_cache(maxsize=10_000)
def _fingerprint(asked: _Asked) -> str:
    task, (domain, name, kind) = asked.task, _parsed(asked.part)
    drawn = split(task, asked.roster)
    held: dict[str, object] = {
        "cohort": asked.cohort,
        "version": VERSION,
        "geometry": _sizes(task.geometry),
        "subjects": _members(drawn, domain, name),
    }
    if kind == "images" and held["subjects"]:
        held |= {"contrast": _contrast(task, domain), "normalisation": task.normalisation}
    if kind == "masks" and name == "train":
        held["labelled"] = frozenset(_labelled(drawn, domain))
    return fingerprint({"kind": kind, **held})


def _parsed(part: str) -> tuple[Domain, SplitName, str]:
    if part not in PARTS:
        msg = f"no part {part!r}; a part is <source|target>.<train|validation|test>.<images|masks|presence>"
        raise BadInput(msg)
    domain, name, kind = part.split(".")
    return domain, name, kind  # type: ignore[return-value]


def _members(drawn: Split, domain: Domain, name: SplitName) -> tuple[str, ...]:
    members: tuple[str, ...] = getattr(drawn, f"{name}_{domain}")
    return members


def _sizes(geometry: Geometry) -> dict[str, object]:
    """A geometry by its fields; a cube goes by its edge, so that arrays made before voxels had three keep their key."""
    edges = geometry.spacing
    return {**plain(geometry), "spacing": edges[0] if len(set(edges)) == 1 else edges}


def _labelled(drawn: Split, domain: Domain) -> tuple[str, ...]:
    return drawn.labelled_source if domain == "source" else drawn.labelled_target


def _contrast(task: CrossModalityTask, domain: Domain) -> str:
    return task.source if domain == "source" else task.target
