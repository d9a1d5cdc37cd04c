"""The plan of a search: stage runs by role. Configurations that are still to be proposed are counted, not known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import final

from medsearch.core.machine import cores
from medsearch.stages.pipelines import StageRun
from medsearch.study.declare.search import Search
from medsearch.study.engine.code import lines, trained_by
from medsearch.study.engine.jobs import Job, Planner, StudyEnvironment, unprepared
from medsearch.study.engine.search_driver import plan_of
from medsearch.study.plan import Forecast, StageCount, Timings, pretended_environment
from medsearch.study.record.headers import Role
from medsearch.study.record.ledger import Ledger, RunRecord


def plan_search(search: Search, environment: StudyEnvironment | None = None, *, slots: int | None = None) -> Forecast:
    """The plan of `search`, given what the store and the study's ledger hold now.

    environment: where it runs; None when there is no data yet, so that nothing can be stored. slots: runs at a time;
    None: one for each core.
    """
    environment = replace(environment or pretended_environment(search.task), prepared=unprepared)
    counter = _Counter(Planner(search, environment), Ledger(environment.study(search.name)).runs())
    rows = [*counter.prefixes(), *counter.trials(), *counter.references(), *counter.replicates()]
    notes = lines(trained_by(search, environment, counter.seen), environment.recompute)
    return Forecast(study=search.name, rows=tuple(rows), slots=slots or cores(), notes=tuple(notes))


@final
class _Counter:
    """Counts stage runs role by role; a stage run that two roles need counts where it comes first."""

    def __init__(self, planner: Planner, runs: Mapping[str, RunRecord]) -> None:
        self.planner = planner
        self.plan = plan_of(planner)
        self.runs = runs
        self.store = planner.environment.store
        self.timings = Timings(planner.environment)
        self.seen: set[str] = set()

    def prefixes(self) -> Iterator[StageCount]:
        """What precedes the searched stage, for every seed."""
        seeds = self.plan.seeds if self.plan.finalists else self.plan.seeds[:1]
        return self._known([self.planner.job("prefix", seed, knobs={}) for seed in seeds])

    def references(self) -> Iterator[StageCount]:
        """Rows that are not searched."""
        rows = self.planner.search.resolved.references
        return self._known(
            [
                self.planner.job("reference", seed, knobs=row.knobs, label=row.label)
                for row in rows
                for seed in self.plan.seeds
            ]
        )

    def trials(self) -> Iterator[StageCount]:
        """Trials: those of the ledger are known, the others only counted."""
        job = self.planner.job("trial", self.plan.seeds[0], knobs={}, number=0)
        shared = {run.node for run in job.runs if run.key in self.seen}
        planned = [run for run in self.runs.values() if run.role == "trial" and (run.number or 0) < self.plan.trials]
        for run in job.runs:
            if run.node in shared:
                continue
            over = [trial for trial in planned if trial.state in ("cut", "failed")]
            ended = [*over, *(one for one in planned if one not in over and self._stored(one, run.node))]
            self.seen.update(dict(trial.stages).get(run.node, "") for trial in planned)
            left = [run] * (self.plan.trials - sum(not self._is_outdated(trial, run.node) for trial in ended))
            yield self._row("trial", [run] * self.plan.trials, distinct=self.plan.trials, left=left)

    def replicates(self) -> Iterator[StageCount]:
        """Finalists over seeds: under the first seed, all but the test is a trial's own."""
        job = self.planner.job("replicate", self.plan.seeds[0], knobs={}, number=0)
        trained = {run.node for run in self.planner.job("trial", self.plan.seeds[0], knobs={}, number=0).runs}
        shared = {run.node for run in self.planner.job("prefix", self.plan.seeds[0], knobs={}).runs}
        done = [run for run in self.runs.values() if run.role == "replicate"]
        for run in job.runs:
            if run.node in shared or not self.plan.finalists:
                continue
            asked = self.plan.finalists * len(self.plan.seeds)
            seeds = self.plan.seeds[1:] if run.node in trained else self.plan.seeds
            distinct = self.plan.finalists * len(seeds)
            stored = sum(self._stored(one, run.node) for one in done if one.seed in seeds)
            self.seen.update(dict(one.stages).get(run.node, "") for one in done)
            yield self._row("replicate", [run] * asked, distinct=distinct, left=[run] * max(0, distinct - stored))

    def _known(self, jobs: Sequence[Job]) -> Iterator[StageCount]:
        for node in dict.fromkeys(run.node for job in jobs for run in job.runs):
            runs = [run for job in jobs for run in job.runs if run.node == node]
            new = {run.key: run for run in runs if run.key not in self.seen}
            self.seen.update(new)
            left = [run for key, run in new.items() if not self.store.has(key)]
            yield self._row(jobs[0].planned.role, runs, distinct=len(new), left=left)

    def _row(self, role: Role, runs: Sequence[StageRun], *, distinct: int, left: Sequence[StageRun]) -> StageCount:
        return StageCount(
            group=role,
            stage=runs[0].node,
            asked=len(runs),
            distinct=distinct,
            stored=distinct - len(left),
            hours=self.timings.hours(left),
            alone=self.timings.hours(runs),
        )

    def _is_outdated(self, run: RunRecord, node: str) -> bool:
        """Whether a stage of a run that has ended is trained anew."""
        key = dict(run.stages).get(node, "")
        return key in (self.store.outdated or {}) and not self.store.has(key)

    def _stored(self, run: RunRecord, node: str) -> bool:
        key = dict(run.stages).get(node)
        return key is not None and self.store.has(key)
