"""What a search does next: a pure function of its extent and of what has happened.

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
class Extent:
    """How many runs of each role a search has. references: their labels.

    prefixed: whether anything precedes the searched stage.
    """

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


def trial(extent: Extent, number: int) -> PlannedRun:
    """A trial, under the first seed."""
    return PlannedRun(role="trial", seed=extent.seeds[0], number=number)


def searched(extent: Extent, progress: Progress) -> bool:
    """Whether every planned trial has ended."""
    return all(trial(extent, number) in progress.ended for number in range(extent.trials))


def finalists(extent: Extent, progress: Progress) -> tuple[int, ...]:
    """The trials to repeat over seeds, best first; none before every trial has ended."""
    return tuple(progress.ranking[: extent.finalists]) if searched(extent, progress) else ()


def doomed(extent: Extent, progress: Progress) -> bool:
    """Whether what all trials stand on has failed."""
    return extent.prefixed and progress.ended.get(prefix(extent.seeds[0])) == "failed"


def to_run(extent: Extent, progress: Progress) -> Iterator[PlannedRun]:
    """Runs that may begin now, the most urgent first. Empty while all that is left waits for runs under way."""
    if doomed(extent, progress):
        return
    first, *others = extent.seeds
    runs: list[PlannedRun] = [prefix(first)] if extent.prefixed else []
    if not extent.prefixed or progress.ended.get(prefix(first)) == "complete":
        runs += [trial(extent, number) for number in range(extent.trials)]
    runs += [
        PlannedRun(role="reference", seed=seed, label=label) for seed in extent.seeds for label in extent.references
    ]
    if extent.prefixed and extent.finalists:
        runs += [prefix(seed) for seed in others]
    chosen = finalists(extent, progress)
    runs += [PlannedRun(role="replicate", seed=seed, number=number) for seed in extent.seeds for number in chosen]
    yield from (run for run in runs if run not in progress.ended and run not in progress.running)
