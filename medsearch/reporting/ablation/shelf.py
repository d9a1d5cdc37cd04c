"""What is stored of an ablation's stage runs: of all the store's index, of test stages the whole manifest."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from medsearch.reporting.evidence import RunState
from medsearch.stages.context import Artifact
from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger, RunRecord
from medsearch.study.record import Stages


@final
class Shelf:
    """The stage runs of the study in `folder`."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self._artifacts: dict[str, Artifact] = {}

    @cached_property
    def records(self) -> Mapping[str, RunRecord]:
        """What the ledger knows, by the key of the stage run."""
        runs = Ledger(self.folder).runs().values()
        return {run.stages[0][1]: run for run in runs if run.role == "stage" and run.stages}

    @cached_property
    def finished(self) -> Mapping[str, Mapping[str, Any]]:
        """By key, what finished stage runs say of themselves, without the values of cases."""
        return self.store.summaries()

    def artifact(self, key: str) -> Artifact | None:
        """A finished stage run with all that it says of itself; None for one that is not finished."""
        if key not in self._artifacts and key in self.finished:
            self._artifacts[key] = self.store.artifact(key)
        return self._artifacts.get(key)

    def state(self, key: str) -> RunState:
        """The store decides what is finished, the ledger what failed or runs."""
        if key in self.finished:
            return "complete"
        record = self.records.get(key)
        return record.state if record and record.state in ("failed", "running") else "waiting"

    def seconds(self, key: str) -> float | None:
        """Training time: all of a finished stage run, what is recorded of an unfinished one; None before it began."""
        if key in self.finished:
            return float(self.finished[key]["seconds"])
        journal = self.store.journal(key) if key in self.records else []
        return sum(line["seconds"] for line in journal) if journal else None

    def failure(self, stages: Stages) -> tuple[str, RunRecord] | None:
        """The first of these stage runs that failed, with the name of its node."""
        failed = ((node, key) for node, key in stages if self.state(key) == "failed")
        return next(((node, self.records[key]) for node, key in failed), None)
