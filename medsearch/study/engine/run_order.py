"""What a search does next: a pure function of the plan and of what has happened.

    prefix of the first seed ──> trials ──> finalists x seeds, tested
    references x seeds, prefixes of the other seeds: wherever there is room

Nothing here runs, stores or waits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from medsearch.study.record.headers import Ended
from medsearch.study.record.ledger import PlannedRun, RunRecord


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what. prefixed: whether anything precedes the searched stage."""

    seeds: tuple[int, ...]
    trials: int
    finalists: int
    references: tuple[str, ...] = ()
    prefixed: bool = True


@final
@dataclass(frozen=True, kw_only=True)
class Progress:
    """What has happened: runs that ended, runs that are under way, and complete trials, best first.

    ranking: needed only once every trial has ended.
    """

    ended: Mapping[PlannedRun, Ended] = field(default_factory=dict)
    running: frozenset[PlannedRun] = frozenset()
    ranking: Sequence[int] = ()


def planned(record: RunRecord) -> PlannedRun:
    """The run that a record of the ledger is of."""
    return PlannedRun(
        role=record.role,
        seed=record.seed,
        number=record.number,
        label=record.label,
        knobs=record.knobs,
        stages=record.stages,
    )


def prefix(seed: int) -> PlannedRun:
    """What all trials of a seed share."""
    return PlannedRun(role="prefix", seed=seed)


def trial(plan: Plan, number: int) -> PlannedRun:
    """A trial, under the first seed."""
    return PlannedRun(role="trial", seed=plan.seeds[0], number=number)


def searched(plan: Plan, progress: Progress) -> bool:
    """Whether every planned trial has ended."""
    return all(trial(plan, number) in progress.ended for number in range(plan.trials))


def finalists(plan: Plan, progress: Progress) -> tuple[int, ...]:
    """The trials to repeat over seeds, best first; none before every trial has ended."""
    return tuple(progress.ranking[: plan.finalists]) if searched(plan, progress) else ()


def doomed(plan: Plan, progress: Progress) -> bool:
    """Whether what all trials stand on has failed."""
    return plan.prefixed and progress.ended.get(prefix(plan.seeds[0])) == "failed"


def to_run(plan: Plan, progress: Progress) -> Iterator[PlannedRun]:
    """Runs that may begin now, the most urgent first. Empty while all that is left waits for runs under way."""
    if doomed(plan, progress):
        return
    first, *others = plan.seeds
    runs: list[PlannedRun] = [prefix(first)] if plan.prefixed else []
    if not plan.prefixed or progress.ended.get(prefix(first)) == "complete":
        runs += [trial(plan, number) for number in range(plan.trials)]
    runs += [PlannedRun(role="reference", seed=seed, label=label) for seed in plan.seeds for label in plan.references]
    if plan.prefixed and plan.finalists:
        runs += [prefix(seed) for seed in others]
    chosen = finalists(plan, progress)
    runs += [PlannedRun(role="replicate", seed=seed, number=number) for seed in plan.seeds for number in chosen]
    yield from (run for run in runs if run not in progress.ended and run not in progress.running)
