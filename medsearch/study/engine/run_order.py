"""What a search does next: a pure function of the plan and of what has happened.

    prefix of the first seed ──> trials ──> finalists x seeds, tested
    references x seeds, prefixes of the other seeds: wherever there is room

Nothing here runs, stores or waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

from medsearch.study.record.headers import Role
from medsearch.study.record.ledger import PlannedRun, RunRecord

Ended = Literal["complete", "cut", "failed"]


@final
@dataclass(frozen=True, kw_only=True)
class RunId:
    """Which run of a search: known before its knobs are."""

    role: Role
    seed: int
    number: int | None = None
    label: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what. `prefixed`: whether anything precedes the searched stage."""

    seeds: tuple[int, ...]
    trials: int
    finalists: int
    references: tuple[str, ...] = ()
    prefixed: bool = True


@final
@dataclass(frozen=True, kw_only=True)
class Progress:
    """What has happened: runs that ended, runs that are under way, and complete trials, best first."""

    ended: Mapping[RunId, Ended] = field(default_factory=dict)
    running: frozenset[RunId] = frozenset()
    ranking: Sequence[int] = ()

    def has(self, run: RunId) -> bool:
        """Whether the run has ended or is under way."""
        return run in self.ended or run in self.running


def run_id(of: PlannedRun | RunRecord) -> RunId:
    """Which run it is that is planned, or stands in the ledger."""
    return RunId(role=of.role, seed=of.seed, number=of.number, label=of.label)


def prefix(seed: int) -> RunId:
    """What all trials of a seed share."""
    return RunId(role="prefix", seed=seed)


def trial(plan: Plan, number: int) -> RunId:
    """A trial, under the first seed."""
    return RunId(role="trial", seed=plan.seeds[0], number=number)


def searched(plan: Plan, progress: Progress) -> bool:
    """Whether every planned trial has ended."""
    return all(trial(plan, number) in progress.ended for number in range(plan.trials))


def finalists(plan: Plan, progress: Progress) -> tuple[int, ...]:
    """The trials to repeat over seeds, best first; none before every trial has ended."""
    return tuple(progress.ranking[: plan.finalists]) if searched(plan, progress) else ()


def doomed(plan: Plan, progress: Progress) -> bool:
    """Whether what all trials stand on has failed."""
    return plan.prefixed and progress.ended.get(prefix(plan.seeds[0])) == "failed"


def wanted(plan: Plan, progress: Progress) -> tuple[RunId, ...]:
    """Runs that may begin now, the most urgent first. Empty while all that is left waits for runs under way."""
    if doomed(plan, progress):
        return ()
    return tuple(run for run in _in_order(plan, progress) if not progress.has(run))


def finished(plan: Plan, progress: Progress) -> bool:
    """Whether nothing is left to begin or to wait for."""
    return not progress.running and not wanted(plan, progress)


def _in_order(plan: Plan, progress: Progress) -> list[RunId]:
    first, *others = plan.seeds
    runs = []
    if plan.prefixed:
        runs.append(prefix(first))
    if not plan.prefixed or progress.ended.get(prefix(first)) == "complete":
        runs += [trial(plan, number) for number in range(plan.trials)]
    runs += [RunId(role="reference", seed=seed, label=label) for seed in plan.seeds for label in plan.references]
    if plan.prefixed and plan.finalists:
        runs += [prefix(seed) for seed in others]
    chosen = finalists(plan, progress)
    runs += [RunId(role="replicate", seed=seed, number=number) for seed in plan.seeds for number in chosen]
    return runs
