"""The question put to a method: from which contrast to which, who trains it, and whose tumours are outlined.

One root seed per task; every subject has its own place in every ranking. So excluding a case, asking for more labels
or changing one side's labels leaves all other draws where they were.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medsearch.core.errors import BadInput
from medsearch.core.ranges import Fraction, NonNegativeInt
from medsearch.core.recipes import recipe
from medsearch.core.seeds import ranked
from medsearch.data.cohorts import Part, Roster
from medsearch.data.geometry import Geometry

HELD_OUT = 0.1  # validation and test, each (thesis section 5.5.1: 37 + 37 of 369)
FEWEST = 4  # one subject each for source, target, validation and test
FEWEST_SOURCES = 2  # one to train on, one to validate on, where the data set says who is source
SIDES = ("source", "target")


@recipe
class CrossModalityTask:
    """Segment `target` with tumours outlined on `source` (thesis section 5.4.2).

    layout: the data set that the question is put to.
    source_labels, target_labels: fractions of the training volumes whose outlines may be seen, in [0, 1].
    pairing: "disjoint" uses one contrast per training patient (the paper); "overlap" all patients in both, each side
        in its own order (the released code, where a patient trains both sides).
    normalisation: "per-contrast" statistics (the paper), or "joint" over all contrasts (the released code).
    folds, fold: with 2 folds or more, the `fold`-th of them (from 0) is the source side's validation.
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


@dataclass(frozen=True, kw_only=True)
class Split:
    """Who is where. Where the data set assigns no parts, both sides hold the same validation and test subjects."""

    train_source: tuple[str, ...]
    train_target: tuple[str, ...]
    validation_source: tuple[str, ...]
    validation_target: tuple[str, ...]
    test_source: tuple[str, ...]
    test_target: tuple[str, ...]
    labelled_source: tuple[str, ...]
    labelled_target: tuple[str, ...]


def split(task: CrossModalityTask, roster: Roster) -> Split:
    """Divide the subjects, and draw who is labelled.

    Free subjects: 80/10/10, the training part over the two contrasts; all cases of a patient go together, and it is
    patients who are counted. Assigned ones: a tenth of the source cases, and of the annotated target cases, is
    validation. The order of subjects does not matter. More labels keep the fewer ones; a fraction above 0 labels at
    least one.

    Raises:
        BadInput: source and target are the same contrast, a subject comes twice, there are too few, or the fold does
            not exist.

    """
    _refuse(task, roster)
    sides = _assigned(task, roster) if roster.assigned else _drawn(task, roster)
    if task.folds:
        sides |= _fold(task, sides, roster)
    return Split(
        **sides,
        labelled_source=_labelled(task, sides["train_source"], "source"),
        labelled_target=_labelled(task, sides["train_target"], "target"),
    )


def _drawn(task: CrossModalityTask, roster: Roster) -> dict[str, tuple[str, ...]]:
    order = ranked(task.split_seed, _patients(roster, roster.subjects), "split")
    held = max(1, round(HELD_OUT * len(order)))
    validation, test, training = order[:held], order[held : 2 * held], order[2 * held :]
    if task.pairing == "disjoint":
        middle = (len(training) + 1) // 2
        source, target = training[:middle], training[middle:]
    else:
        source, target = ranked(task.split_seed, training, "source"), ranked(task.split_seed, training, "target")
    both = {f"validation_{side}": validation for side in SIDES} | {f"test_{side}": test for side in SIDES}
    sides = {"train_source": source, "train_target": target, **both}
    return {name: _cases_of(patients, roster) for name, patients in sides.items()}


def _patients(roster: Roster, subjects: Sequence[str]) -> tuple[str, ...]:
    """Whose images these are, each person once."""
    return tuple(dict.fromkeys(roster.patients.get(subject, subject) for subject in subjects))


def _people(roster: Roster) -> str:
    """What is split: whoever has several cases stays whole."""
    return "patients" if roster.patients else "cases"


def _cases_of(patients: Sequence[str], roster: Roster) -> tuple[str, ...]:
    """All subjects of these patients, in the patients' order; one patient's by name."""
    if not roster.patients:
        return tuple(patients)
    cases: dict[str, list[str]] = {}
    for subject in sorted(roster.subjects):
        cases.setdefault(roster.patients.get(subject, subject), []).append(subject)
    return tuple(subject for patient in patients for subject in cases[patient])


def _assigned(task: CrossModalityTask, roster: Roster) -> dict[str, tuple[str, ...]]:
    def of(part: Part) -> tuple[str, ...]:
        return ranked(task.split_seed, [name for name in roster.subjects if roster.assigned[name] == part], "split")

    source, target = of("source"), of("target")
    annotated = [name for name in target if name in roster.annotated]
    shown = annotated[: max(1, round(HELD_OUT * len(annotated)))] if len(target) > 1 else []
    held = max(1, round(HELD_OUT * len(source)))
    return {
        "train_source": source[held:],
        "train_target": tuple(name for name in target if name not in shown),
        "validation_source": source[:held],
        "validation_target": tuple(shown),
        "test_source": (),
        "test_target": of("test"),
    }


def _fold(task: CrossModalityTask, sides: Mapping[str, tuple[str, ...]], roster: Roster) -> dict[str, tuple[str, ...]]:
    """The source side of one fold; the target's stays, so whoever validates there trains in no fold."""
    pool = sides["validation_source"] + sides["train_source"]
    order = ranked(task.split_seed, _patients(roster, pool), "folds")
    if not 0 <= task.fold < task.folds or not 2 <= task.folds <= len(order):
        msg = (
            f"task.fold={task.fold} of task.folds={task.folds} with {len(order)} source {_people(roster)}; folds are "
            f"2 or more, at most as many as {_people(roster)}, and counted from 0"
        )
        raise BadInput(msg)
    shown = set(_cases_of(order[task.fold :: task.folds], roster))
    elsewhere = shown | set(sides["validation_target"])
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
    if task.source == task.target:
        msg = f"task.source and task.target are both {task.source!r}; name two contrasts"
        raise BadInput(msg)
    if len(set(subjects)) < len(subjects):
        twice = sorted({subject for subject in subjects if subjects.count(subject) > 1})
        msg = f"subject {twice[0]!r} comes twice in the cohort; a patient may be in one part of the split only"
        raise BadInput(msg)
    if (count := len(_patients(roster, subjects))) < FEWEST:
        msg = f"the cohort has {count} usable {_people(roster)}, a split needs at least {FEWEST}; add cases"
        raise BadInput(msg)
    if task.folds and task.pairing == "overlap":
        msg = "task.folds with task.pairing='overlap' would validate on those who train the target; take 'disjoint'"
        raise BadInput(msg)
    if assigned and (free := sorted(set(subjects) - set(assigned))):
        msg = f"subject {free[0]!r} is in no part, others are; put the case into the source, target or test folder"
        raise BadInput(msg)
    parts = list(assigned.values())
    if assigned and (parts.count("source") < FEWEST_SOURCES or not parts.count("target")):
        msg = (
            f"the cohort has {parts.count('source')} source and {parts.count('target')} target cases to train on; "
            f"a split needs {FEWEST_SOURCES} and 1: add cases"
        )
        raise BadInput(msg)


def _labelled(task: CrossModalityTask, subjects: Sequence[str], domain: Literal["source", "target"]) -> tuple[str, ...]:
    fraction = task.source_labels if domain == "source" else task.target_labels
    count = math.ceil(fraction * len(subjects) - 1e-9)  # errs to more, as the released code; 0.07 of 100 is 7, not 8
    return ranked(task.split_seed, subjects, "labels", domain)[:count]
