"""The question put to a method: from which modality to which, who trains it, what it may see, on whom it is judged.

Segmentation (`CrossModalityTask`) and synthesis (`SynthesisTask`) are two settings of it. Both name a layout, a source
and a target contrast, a geometry and a seed, and answer the same questions: what contrasts its cases must have, who is
in which part (`draw`), what parts there are, what each holds, and as what arrays. So whatever plans, prepares or trains
on a task asks it. A part is named "<domain>.<split>.<kind>"; the domain is "source", "target" or, where each case has
an image in both contrasts, "paired".

One root seed per task; every subject has its own place in every ranking. So excluding a case, asking for more labels
or changing one domain's labels leaves all other draws where they were.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import ClassVar, Literal, TypeAlias

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.layouts import AxialLayout, TumourLayout, axial_layout, tumour_layout
from medsearch.cohorts.prepared import PreparedStacks, PreparedVolumes
from medsearch.core.errors import BadInput
from medsearch.core.ranges import Fraction, FractionBelowOne, NonNegativeInt
from medsearch.core.recipes import fingerprint as fingerprint_of
from medsearch.core.recipes import plain, recipe
from medsearch.core.seeds import ranked
from medsearch.imaging.abdomen import BodyRule, RegionRule
from medsearch.imaging.geometry import AxialGeometry, Geometry

HELD_OUT = 0.1  # validation and test, each (thesis section 5.5.1: 37 + 37 of 369)
FEWEST = 4  # one subject each for source, target, validation and test
FEWEST_SOURCES = 2  # one to train on, one to validate on, where the data set says who is source
FEWEST_UNPAIRED = 2  # cases of a contrast: one to train on, one to look at
Domain = Literal["source", "target"]
SplitName = Literal["train", "validation", "test"]
DOMAINS: tuple[Domain, ...] = ("source", "target")
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
KINDS = ("images", "masks", "presence")
"""What parts are named by; those of pairs have "paired" in place of a domain."""
PRETENDED = 40
"""Subjects of a cohort that is not there."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Who is where, "<split>_<domain>"; nobody in parts that a task has not, and whose outlines may be seen.

    Where the data set of a segmentation has no subsets, both domains hold the same validation and test subjects.
    """

    train_source: tuple[str, ...]
    train_target: tuple[str, ...]
    validation_source: tuple[str, ...]
    validation_target: tuple[str, ...]
    test_source: tuple[str, ...] = ()
    test_target: tuple[str, ...] = ()
    validation_paired: tuple[str, ...] = ()
    test_paired: tuple[str, ...] = ()
    labelled_source: tuple[str, ...] = ()
    labelled_target: tuple[str, ...] = ()

    def members(self, part: str) -> tuple[str, ...]:
        """Who is in "<domain>.<split>", or in one kind of it, in the order in which they were drawn.

        "<domain>.labelled" are the training cases whose outlines may be seen.
        """
        domain, name = part.split(".")[:2]
        members: tuple[str, ...] = getattr(self, f"{name}_{domain}")
        return members


@recipe
class CrossModalityTask:
    """Segment `target` with tumours outlined on `source` (thesis section 5.4.2).

    layout: the data set that the question is put to.
    source_labels, target_labels: fractions of the training volumes whose outlines may be seen, in [0, 1].
    pairing: "disjoint" uses one contrast per training patient (the paper); "overlap" all patients in both, each
        contrast in its own order (the released code, where a patient trains both).
    normalisation: "per-contrast" statistics (the paper), or "joint" over all contrasts (the released code).
    folds, fold: with 2 folds or more, the `fold`-th of them (from 0) is the source's validation.
    """

    layout: str = "brats2020"
    source: str = "t1"
    target: str = "t2"
    source_labels: Fraction = 1.0
    target_labels: Fraction = 0.0
    split_seed: NonNegativeInt = 0
    pairing: Literal["disjoint", "overlap"] = "disjoint"
    normalisation: Literal["per-contrast", "joint"] = "per-contrast"
    folds: NonNegativeInt = 0
    fold: NonNegativeInt = 0
    geometry: Geometry = field(default_factory=Geometry)

    parts: ClassVar[frozenset[str]] = frozenset(".".join(names) for names in product(DOMAINS, SPLITS, KINDS))
    """What a stage may declare to read."""
    arrays: ClassVar[type[PreparedVolumes]] = PreparedVolumes

    @property
    def data_set(self) -> TumourLayout:
        """The layout that the task is put to.

        Raises:
            BadInput: there is none of that name, or its cases have no outlined tumours.

        """
        return tumour_layout(self.layout)

    @property
    def required_contrasts(self) -> frozenset[str]:
        """What the cohort's cases must have images in; empty: in all that their layout has."""
        return frozenset() if self.normalisation == "joint" else frozenset({self.source, self.target})

    def contrasts(self, part: str) -> Mapping[str, str]:
        """The contrasts of a part's images, by what each is in it."""
        return {"source": self.source} if part.startswith("source.") else {"target": self.target}

    def folder_name(self, fingerprint: str) -> str:
        """The name of the folder of a cohort's arrays: by content, voxels, normalisation; their number if cut out."""
        size, edges = "", self.geometry.spacing
        if self.data_set.atlas is not None:
            size = f"{self.geometry.depth[1]}x{self.geometry.slice_size}x{self.geometry.slice_size}-"
        voxel = "x".join(f"{edge:g}" for edge in (edges[:1] if len(set(edges)) == 1 else edges))
        return f"prepared-{fingerprint}-{voxel}mm-{size}{self.normalisation}-v{self.arrays.VERSION}"

    def content(self, part: str, split: Split) -> dict[str, object]:
        """What decides what a part holds, but for the files and who is in it.

        A cube goes by its edge, so that arrays made before voxels had three keep their key.
        """
        domain, name, kind = part.split(".")
        edges = self.geometry.spacing
        sizes = {**plain(self.geometry), "spacing": edges[0] if len(set(edges)) == 1 else edges}
        held: dict[str, object] = {"kind": kind, "geometry": sizes}
        if kind == "images" and split.members(part):
            held |= {"contrast": self.contrasts(part)[domain], "normalisation": self.normalisation}
        if kind == "masks" and name == "train":
            held["labelled"] = frozenset(split.members(f"{domain}.labelled"))
        return held

    def pretended_roster(self) -> Roster:
        """Who there might be, where there are no data yet: only counts are taken from it."""
        return Roster(tuple(f"subject-{number}" for number in range(PRETENDED)))

    def draw(self, roster: Roster) -> Split:
        """Divide the subjects, and draw who is labelled.

        Free subjects: 80/10/10, the training part over the two contrasts; all cases of a patient go together, and it is
        patients who are counted. Assigned ones: a tenth of the source cases, and of the annotated target cases, is
        validation. The order of subjects does not matter. More labels keep the fewer ones; a fraction above 0 labels at
        least one.

        Raises:
            BadInput: source and target are the same contrast, a subject comes twice, there are too few, or the fold
                does not exist.

        """
        _refuse(self, roster)
        members = _assigned(self, roster) if roster.assigned else _drawn(self, roster)
        if self.folds:
            members |= _fold(self, members, roster)
        for domain, fraction in (("source", self.source_labels), ("target", self.target_labels)):
            training = members[f"train_{domain}"]
            count = math.ceil(fraction * len(training) - 1e-9)  # errs to more, as the released code; 0.07 of 100 is 7
            members[f"labelled_{domain}"] = ranked(self.split_seed, training, "labels", domain)[:count]
        return Split(**members)


@recipe
class SynthesisTask:
    """Make images of `target` from images of `source`, or the other way round, learning from cases that have only one.

    layout: the data set that the question is put to.
    direction: "forward" makes target images from source images, "backward" source images from target images. Only
        pairs know it, so both directions share all training that sees none.
    held_out: the fraction of unpaired cases of each contrast that nothing is trained on, at least one (10 of 82,
        section 3).
    validation_pairs: the fraction of pairs that model selection may see; the others are the test. None in the paper.
    region: how the abdomen is found in a stack. body: how the body is.
    """

    layout: str = "abdominal_ct"
    source: str = "CT"
    target: str = "ceCT"
    direction: Literal["forward", "backward"] = "forward"
    held_out: FractionBelowOne = 0.122
    validation_pairs: FractionBelowOne = 0.0
    split_seed: NonNegativeInt = 0
    geometry: AxialGeometry = field(default_factory=AxialGeometry)
    body: BodyRule = field(default_factory=BodyRule)
    region: RegionRule = field(default_factory=RegionRule)

    parts: ClassVar[frozenset[str]] = frozenset(
        {
            *(f"{domain}.{name}.images" for domain in DOMAINS for name in ("train", "validation")),
            *(f"paired.{name}.images" for name in ("validation", "test")),
        }
    )
    """What a stage may declare to read."""
    arrays: ClassVar[type[PreparedStacks]] = PreparedStacks

    @property
    def data_set(self) -> AxialLayout:
        """The layout that the task is put to.

        Raises:
            BadInput: there is none of that name, or its cases are no stacks of axial slices.

        """
        return axial_layout(self.layout)

    @property
    def given(self) -> str:
        """The contrast that a pair's image is made from."""
        return self.source if self.direction == "forward" else self.target

    @property
    def wanted(self) -> str:
        """The contrast that it is made in."""
        return self.target if self.direction == "forward" else self.source

    @property
    def required_contrasts(self) -> frozenset[str]:
        """What the cohort's cases must have images in."""
        return frozenset({self.source, self.target})

    def contrasts(self, part: str) -> Mapping[str, str]:
        """The contrasts of a part's images, by what each is in it."""
        if part.startswith("paired."):
            return {"given": self.given, "wanted": self.wanted}
        return {"source": self.source} if part.startswith("source.") else {"target": self.target}

    def folder_name(self, fingerprint: str) -> str:
        """The name of the folder of a cohort's arrays: by content, the size of a slice, and the rules for bodies."""
        rules = fingerprint_of([self.body, self.region])[:8]
        return f"stacks-{fingerprint}-{self.geometry.slice_size}-{rules}-v{self.arrays.VERSION}"

    def content(self, part: str, split: Split) -> dict[str, object]:  # noqa: ARG002 - no part depends on who is in it
        """What decides what a part holds, but for the files and who is in it."""
        rules = {"geometry": plain(self.geometry), "rules": [self.body, self.region]}
        return {"kind": "stacks", **rules, "contrasts": self.contrasts(part)}

    def pretended_roster(self) -> Roster:
        """Who there might be, where there are no data yet: only counts are taken from it."""
        both = (self.source, self.target)
        trained = {f"subject-{number}": (both[number % 2],) for number in range(PRETENDED)}
        pairs = {f"pair-{number}": both for number in range(PRETENDED // 4)}
        return Roster((*trained, *pairs), dict.fromkeys(pairs, "test"), contrasts={**trained, **pairs})

    def draw(self, roster: Roster) -> Split:
        """Divide the subjects: pairs are those in the subset "test", every other one has its contrast's domain.

        The order of subjects does not matter. Leaving one out keeps the order of all others, but for rounding may move
        the border between two parts by one.

        Raises:
            BadInput: source and target are the same contrast, a training case has both or neither, or there are too
                few.

        """
        _require_two_contrasts(self)
        tests = [name for name in roster.subjects if roster.assigned.get(name) == "test"]
        pairs = ranked(self.split_seed, tests, "pairs")
        shown = max(1, round(self.validation_pairs * len(pairs))) if self.validation_pairs else 0
        source, target = (_unpaired(self, roster, contrast) for contrast in (self.source, self.target))
        held_source, held_target = (max(1, round(self.held_out * len(cases))) for cases in (source, target))
        return Split(
            train_source=source[held_source:],
            train_target=target[held_target:],
            validation_source=source[:held_source],
            validation_target=target[:held_target],
            validation_paired=pairs[:shown],
            test_paired=pairs[shown:],
        )


Task: TypeAlias = CrossModalityTask | SynthesisTask


@dataclass(frozen=True)
class Question:
    """A task over a cohort's subjects, `shown` as its text: 1 and 1.0 are equal tasks, but not equal keys."""

    shown: str
    roster: Roster = field(hash=False)
    task: Task = field(compare=False)


def split(task: Task, roster: Roster) -> Split:
    """Who is where, drawn once for a task and a roster.

    Raises:
        BadInput: the subjects cannot be divided so; see the task's own `draw`.

    """
    return _divided(Question(repr(task), roster, task))


@lru_cache(maxsize=1000)
def _divided(question: Question) -> Split:
    return question.task.draw(question.roster)


def _require_two_contrasts(task: Task) -> None:
    if task.source == task.target:
        msg = f"task.source and task.target are both {task.source!r}; name two contrasts"
        raise BadInput(msg)


def _unpaired(task: SynthesisTask, roster: Roster, contrast: str) -> tuple[str, ...]:
    """The unpaired cases of one contrast."""
    both = (task.source, task.target)
    free = [name for name in roster.subjects if roster.assigned.get(name) != "test"]
    for name in free:
        held = [contrast for contrast in both if contrast in roster.contrasts.get(name, ())]
        if len(held) != 1:
            what = f"both {task.source} and {task.target}" if held else f"neither {task.source} nor {task.target}"
            msg = f"case {name} has {what}, but training is unpaired; put it among the pairs, or leave it out"
            raise BadInput(msg)
    cases = ranked(task.split_seed, [name for name in free if contrast in roster.contrasts[name]], "split", contrast)
    if len(cases) < FEWEST_UNPAIRED:
        msg = (
            f"the cohort has {len(cases)} unpaired {contrast} cases, a split needs at least {FEWEST_UNPAIRED}; "
            "add cases"
        )
        raise BadInput(msg)
    return cases


def _drawn(task: CrossModalityTask, roster: Roster) -> dict[str, tuple[str, ...]]:
    order = ranked(task.split_seed, _patients(roster, roster.subjects), "split")
    held = max(1, round(HELD_OUT * len(order)))
    validation, test, training = order[:held], order[held : 2 * held], order[2 * held :]
    if task.pairing == "disjoint":
        middle = (len(training) + 1) // 2
        source, target = training[:middle], training[middle:]
    else:
        source, target = ranked(task.split_seed, training, "source"), ranked(task.split_seed, training, "target")
    both = {f"validation_{domain}": validation for domain in DOMAINS} | {f"test_{domain}": test for domain in DOMAINS}
    drawn = {"train_source": source, "train_target": target, **both}
    return {name: _cases_of(patients, roster) for name, patients in drawn.items()}


def _patients(roster: Roster, subjects: Sequence[str]) -> tuple[str, ...]:
    """Whose images these are, each person once."""
    return tuple(dict.fromkeys(roster.patients.get(subject, subject) for subject in subjects))


def _cases_of(patients: Sequence[str], roster: Roster) -> tuple[str, ...]:
    """All subjects of these patients, in the patients' order; one patient's by name."""
    if not roster.patients:
        return tuple(patients)
    cases: dict[str, list[str]] = {}
    for subject in sorted(roster.subjects):
        cases.setdefault(roster.patients.get(subject, subject), []).append(subject)
    return tuple(subject for patient in patients for subject in cases[patient])


def _assigned(task: CrossModalityTask, roster: Roster) -> dict[str, tuple[str, ...]]:
    source, target, test = (
        ranked(task.split_seed, [name for name in roster.subjects if roster.assigned[name] == subset], "split")
        for subset in ("source", "target", "test")
    )
    annotated = [name for name in target if name in roster.annotated]
    shown = annotated[: max(1, round(HELD_OUT * len(annotated)))] if len(target) > 1 else []
    held = max(1, round(HELD_OUT * len(source)))
    return {
        "train_source": source[held:],
        "train_target": tuple(name for name in target if name not in shown),
        "validation_source": source[:held],
        "validation_target": tuple(shown),
        "test_source": (),
        "test_target": test,
    }


def _fold(
    task: CrossModalityTask, members: Mapping[str, tuple[str, ...]], roster: Roster
) -> dict[str, tuple[str, ...]]:
    """The source cases of one fold; the target's stay, so whoever validates there trains in no fold."""
    pool = members["validation_source"] + members["train_source"]
    order = ranked(task.split_seed, _patients(roster, pool), "folds")
    if not 0 <= task.fold < task.folds or not 2 <= task.folds <= len(order):
        whole = "patients" if roster.patients else "cases"  # whoever has several cases is not divided
        msg = (
            f"task.fold={task.fold} of task.folds={task.folds} with {len(order)} source {whole}; folds are "
            f"2 or more, at most as many as {whole}, and counted from 0"
        )
        raise BadInput(msg)
    shown = set(_cases_of(order[task.fold :: task.folds], roster))
    elsewhere = shown | set(members["validation_target"])
    training = tuple(name for name in pool if name not in elsewhere)
    if not training:
        msg = f"task.fold={task.fold} of task.folds={task.folds} leaves no source case to train on; add cases"
        raise BadInput(msg)
    return {
        "train_source": training,
        "validation_source": tuple(name for name in pool if name in shown),
    }


def _refuse(task: CrossModalityTask, roster: Roster) -> None:
    subjects, assigned = roster.subjects, roster.assigned
    _require_two_contrasts(task)
    if len(set(subjects)) < len(subjects):
        twice = sorted({subject for subject in subjects if subjects.count(subject) > 1})
        msg = f"subject {twice[0]!r} comes twice in the cohort; a patient may be in one part of the split only"
        raise BadInput(msg)
    if (count := len(_patients(roster, subjects))) < FEWEST:
        whole = "patients" if roster.patients else "cases"
        msg = f"the cohort has {count} usable {whole}, a split needs at least {FEWEST}; add cases"
        raise BadInput(msg)
    if task.folds and task.pairing == "overlap":
        msg = "task.folds with task.pairing='overlap' would validate on those who train the target; take 'disjoint'"
        raise BadInput(msg)
    if assigned and (free := sorted(set(subjects) - set(assigned))):
        msg = f"subject {free[0]!r} is in no part, others are; put the case into the source, target or test folder"
        raise BadInput(msg)
    subsets = list(assigned.values())
    if assigned and (subsets.count("source") < FEWEST_SOURCES or not subsets.count("target")):
        msg = (
            f"the cohort has {subsets.count('source')} source and {subsets.count('target')} target cases to train on; "
            f"a split needs {FEWEST_SOURCES} and 1: add cases"
        )
        raise BadInput(msg)
