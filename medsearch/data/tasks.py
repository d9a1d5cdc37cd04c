"""The question put to a method: from which contrast to which, who trains it, and whose tumours are outlined.

One root seed per task; every subject has its own place in every ranking. So excluding a case, asking for more labels
or changing one side's labels leaves all other draws where they were.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medsearch.core.errors import BadInput
from medsearch.core.recipes import recipe
from medsearch.core.seeds import seed
from medsearch.data.geometry import Geometry

HELD_OUT = 0.1  # validation and test, each (thesis section 5.4.2: 37 + 37 of 369)
FEWEST = 4  # one subject each for source, target, validation and test


@recipe
class CrossModalityTask:
    """Segment `target` with tumours outlined on `source` (thesis section 5.4.2).

    source_labels, target_labels: fractions of the training volumes whose outlines may be seen, in [0, 1].
    pairing: "disjoint" uses one contrast per training patient (the paper); "overlap" all patients in both, each side
        in its own order (the released code, where a patient trains both sides).
    normalisation: "per-contrast" statistics (the paper), or "joint" over all contrasts (the released code).
    """

    source: str = "t1"
    target: str = "t2"
    source_labels: float = 1.0
    target_labels: float = 0.0
    split_seed: int = 0
    pairing: Literal["disjoint", "overlap"] = "disjoint"
    normalisation: Literal["per-contrast", "joint"] = "per-contrast"
    geometry: Geometry = field(default_factory=Geometry)

    def __post_init__(self) -> None:
        """Refuse a fraction outside [0, 1]."""
        for knob in ("source_labels", "target_labels"):
            if not 0 <= getattr(self, knob) <= 1:
                msg = f"knob 'task.{knob}' is a fraction in [0, 1], got {getattr(self, knob)!r}"
                raise BadInput(msg)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Who is where. Validation and test hold both contrasts of their subjects and are always labelled."""

    train_source: tuple[str, ...]
    train_target: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    labelled_source: tuple[str, ...]
    labelled_target: tuple[str, ...]


def split(task: CrossModalityTask, subjects: Iterable[str]) -> Split:
    """Divide `subjects` 80/10/10, the training part over the two contrasts, and draw who is labelled.

    The order of `subjects` does not matter. More labels keep the fewer ones; a fraction above 0 labels at least one.

    Raises:
        BadInput: source and target are the same contrast, a subject comes twice, or there are fewer than four.

    """
    everyone = list(subjects)
    _refuse(task, everyone)
    ranked = _ranked(task, everyone, "split")
    held = max(1, round(HELD_OUT * len(ranked)))
    validation, test, training = ranked[:held], ranked[held : 2 * held], ranked[2 * held :]
    if task.pairing == "disjoint":
        middle = (len(training) + 1) // 2
        source, target = training[:middle], training[middle:]
    else:
        source, target = _ranked(task, training, "source"), _ranked(task, training, "target")
    return Split(
        train_source=source,
        train_target=target,
        validation=validation,
        test=test,
        labelled_source=_labelled(task, source, "source"),
        labelled_target=_labelled(task, target, "target"),
    )


def _refuse(task: CrossModalityTask, subjects: Sequence[str]) -> None:
    if task.source == task.target:
        msg = f"task.source and task.target are both {task.source!r}; name two contrasts"
        raise BadInput(msg)
    if len(set(subjects)) < len(subjects):
        twice = sorted({subject for subject in subjects if subjects.count(subject) > 1})
        msg = f"subject {twice[0]!r} comes twice in the cohort; a patient may be in one part of the split only"
        raise BadInput(msg)
    if len(subjects) < FEWEST:
        msg = f"the cohort has {len(subjects)} usable subjects, a split needs at least {FEWEST}; add cases"
        raise BadInput(msg)


def _ranked(task: CrossModalityTask, subjects: Sequence[str], *stream: str) -> tuple[str, ...]:
    """Subjects in a random order in which each one's place relative to the others depends on nobody else."""
    return tuple(sorted(subjects, key=lambda subject: (seed(task.split_seed, *stream, subject), subject)))


def _labelled(task: CrossModalityTask, subjects: Sequence[str], domain: Literal["source", "target"]) -> tuple[str, ...]:
    fraction = task.source_labels if domain == "source" else task.target_labels
    count = math.ceil(fraction * len(subjects) - 1e-9)  # errs to more, as the released code; 0.07 of 100 is 7, not 8
    return _ranked(task, subjects, "labels", domain)[:count]
