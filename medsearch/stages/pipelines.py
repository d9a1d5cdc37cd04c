"""Stages wired to each other, and the keys that name their results."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.tasks import Task
from medsearch.cohorts.views import part_fingerprint
from medsearch.core.recipes import fingerprint, override
from medsearch.stages.code import Code, code_of, code_that_travels
from medsearch.stages.stage import Stage
from medsearch.stages.store import Store

TEST = "test"
"""The name of the node that reads test cases."""


@dataclass(frozen=True)
class Node:
    """A stage in a pipeline: `upstream` names, by role, the nodes whose artifacts it takes.

    task: knobs of the task in which this node differs from the others, such as the fold it is trained on.
    """

    name: str
    stage: Stage
    upstream: Mapping[str, str] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """The data a pipeline runs on: a task over the subjects of a cohort."""

    task: Task
    cohort: str
    """The cohort's fingerprint."""
    roster: Roster


@dataclass(frozen=True)
class StageRun:
    """One stage under a seed on a setting; `upstream` holds, by role, the keys of its inputs.

    Of the `task` the key knows only the fingerprints of those `parts` that the stage declared to read. sent_code: of a
    stage whose source workers cannot find.
    """

    node: str
    stage: Stage
    seed: int
    task: Task
    parts: Mapping[str, str]
    upstream: Mapping[str, str]
    sent_code: Code | None = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker: with the code of the user's own stage, of which the source may not be there."""
        return {**self.__dict__, "sent_code": self.sent_code or code_that_travels(self.stage)}

    @property
    def code(self) -> Code | None:
        """The code that trains it in this process."""
        return self.sent_code or code_of(self.stage)

    @cached_property
    def key(self) -> str:
        """Changes exactly when something that can change the stage's result does."""
        return fingerprint(
            {
                "stage": self.stage.name,
                "version": self.stage.version,
                "settings": self.stage,
                "parts": self.parts,
                "seed": self.seed,
                "upstream": self.upstream,
            }
        )


@dataclass(frozen=True)
class Pipeline:
    """Nodes in an order in which each comes after what it takes."""

    nodes: tuple[Node, ...]

    def runs(self, setting: Setting, seed: int) -> tuple[StageRun, ...]:
        """The pipeline's stage runs under `seed`, in order."""
        runs: dict[str, StageRun] = {}
        for node in self.nodes:
            task = override(setting.task, node.task)
            parts = {
                part: part_fingerprint(task, setting.cohort, setting.roster, part)
                for part in sorted(node.stage.reads())
            }
            upstream = {role: runs[name].key for role, name in node.upstream.items()}
            runs[node.name] = StageRun(node.name, node.stage, seed, task, parts, upstream)
        return tuple(runs.values())


def stages_to_train(runs: Sequence[StageRun], store: Store, *, ends: Collection[str] = ()) -> frozenset[str]:
    """The keys of those to train: what is not finished, and what lacks outputs while one that is to train takes it.

    runs: each after what it takes. ends: keys whose outputs are wanted for their own sake.
    """
    taken, keys = set(ends), set()
    for run in reversed(runs):
        stored = store.whole(run.key) if run.key in taken else store.has(run.key)
        if not stored:
            keys.add(run.key)
            taken.update(run.upstream.values())
    return frozenset(keys)
