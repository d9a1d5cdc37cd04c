"""The kinds of task. What a study, a plan or a worker does with any task, it does through here.

Tumours are segmented across contrasts (`data.tasks`), images are synthesised (`data.synthesis`). Another kind is a
dataclass with a layout and a geometry, and an arm in each of these functions.
"""

from pathlib import Path
from typing import TypeAlias, assert_never

from medsearch.data import views
from medsearch.data.axial import FIELD_OF_VIEW
from medsearch.data.cohorts import Cohort, Roster
from medsearch.data.layouts import Layout, axial_layout, tumour_layout
from medsearch.data.prepared import PreparedCohort
from medsearch.data.synthesis import views as synthesis
from medsearch.data.synthesis.prepared import PreparedStacks
from medsearch.data.synthesis.task import SynthesisTask
from medsearch.data.synthesis.views import SynthesisView
from medsearch.data.tasks import CrossModalityTask
from medsearch.data.views import TaskView

Task: TypeAlias = CrossModalityTask | SynthesisTask
View: TypeAlias = TaskView | SynthesisView
Prepared: TypeAlias = PreparedCohort | PreparedStacks

PRETENDED = 40
"""Subjects of a cohort that is not there."""


def required_contrasts(task: Task) -> frozenset[str]:
    """What the cohort's cases must have images in; empty: in all that their layout has."""
    if isinstance(task, CrossModalityTask) and task.normalisation == "joint":
        return frozenset()
    return frozenset({task.source, task.target})


def finest_voxel(task: Task) -> float:
    """The shortest voxel edge that a network sees, mm; of CT slices, that of a slice as wide as a body needs."""
    if isinstance(task, CrossModalityTask):
        return min(task.geometry.spacing)
    return FIELD_OF_VIEW / task.geometry.slice_size


def layout_of(task: Task) -> Layout:
    """The layout that the task is put to.

    Raises:
        BadInput: there is none of that name, or not for such a task.

    """
    return tumour_layout(task.layout) if isinstance(task, CrossModalityTask) else axial_layout(task.layout)


def pretended(task: Task) -> Roster:
    """Who there might be, where there are no data yet: only counts are taken from it."""
    if isinstance(task, CrossModalityTask):
        return Roster(tuple(f"subject-{number}" for number in range(PRETENDED)))
    both = (task.source, task.target)
    trained = {f"subject-{number}": (both[number % 2],) for number in range(PRETENDED)}
    pairs = {f"pair-{number}": both for number in range(PRETENDED // 4)}
    return Roster((*trained, *pairs), dict.fromkeys(pairs, "test"), contrasts={**trained, **pairs})


def part_fingerprint(task: Task, cohort: str, roster: Roster, part: str) -> str:
    """Changes when what `part` holds does, and with it whenever any file of the cohort does; reads no array.

    Raises:
        BadInput: the kind of task has no such part.

    """
    match task:
        case CrossModalityTask():
            return views.part_fingerprint(task, cohort, roster, part)
        case SynthesisTask():
            return synthesis.part_fingerprint(task, cohort, roster, part)
        case _:
            assert_never(task)


def prepare(cohort: Cohort, fingerprint: str, *, task: Task, folder: Path) -> Prepared:
    """The arrays of a cohort for a task, made unless they are there.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    from medsearch.data import preparation
    from medsearch.data.synthesis.preparation import prepare_stacks

    match task:
        case CrossModalityTask():
            return preparation.prepare(cohort, fingerprint, task=task, folder=folder)
        case SynthesisTask():
            return prepare_stacks(cohort, fingerprint, task=task, folder=folder)
        case _:
            assert_never(task)


def opened(task: Task, directory: Path) -> Prepared:
    """The arrays in a folder that `prepare` made for such a task."""
    return PreparedCohort(directory) if isinstance(task, CrossModalityTask) else PreparedStacks(directory)


def view(prepared: Prepared, task: Task, reads: frozenset[str]) -> View:
    """The task over its arrays, limited to the parts in `reads`.

    Raises:
        BadInput: the kind of task has no such part.

    """
    match task, prepared:
        case CrossModalityTask(), PreparedCohort():
            return TaskView(prepared, task, reads)
        case SynthesisTask(), PreparedStacks():
            return SynthesisView(prepared, task, reads)
        case _:
            msg = f"{type(prepared).__name__} holds no arrays for a {type(task).__name__}"
            raise TypeError(msg)
