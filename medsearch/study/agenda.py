"""What a study does next: a pure function of the plan and of what has happened.

    prefix of the first seed ──> trials ──> finalists x seeds, tested
    references x seeds, prefixes of the other seeds: wherever a slot is free

Nothing here runs, stores or waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

from medsearch.study.record import Role

Ended = Literal["complete", "cut", "failed"]


@final
@dataclass(frozen=True, kw_only=True)
class Slot:
    """A run that the study wants: known before its knobs are."""

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

    ended: Mapping[Slot, Ended] = field(default_factory=dict)
    running: frozenset[Slot] = frozenset()
    ranking: Sequence[int] = ()

    def has(self, slot: Slot) -> bool:
        """Whether the run has ended or is under way."""
        return slot in self.ended or slot in self.running


def prefix(seed: int) -> Slot:
    """What all trials of a seed share."""
    return Slot(role="prefix", seed=seed)


def trial(plan: Plan, number: int) -> Slot:
    """A trial, under the first seed."""
    return Slot(role="trial", seed=plan.seeds[0], number=number)


def searched(plan: Plan, progress: Progress) -> bool:
    """Whether every planned trial has ended."""
    return all(trial(plan, number) in progress.ended for number in range(plan.trials))


def finalists(plan: Plan, progress: Progress) -> tuple[int, ...]:
    """The trials to repeat over seeds, best first; none before every trial has ended."""
    return tuple(progress.ranking[: plan.finalists]) if searched(plan, progress) else ()


def doomed(plan: Plan, progress: Progress) -> bool:
    """Whether what all trials stand on has failed."""
    return plan.prefixed and progress.ended.get(prefix(plan.seeds[0])) == "failed"


def wanted(plan: Plan, progress: Progress) -> tuple[Slot, ...]:
    """Runs that may begin now, the most urgent first. Empty while all that is left waits for runs under way."""
    if doomed(plan, progress):
        return ()
    return tuple(slot for slot in _in_order(plan, progress) if not progress.has(slot))


def finished(plan: Plan, progress: Progress) -> bool:
    """Whether nothing is left to begin or to wait for."""
    return not progress.running and not wanted(plan, progress)


def _in_order(plan: Plan, progress: Progress) -> list[Slot]:
    first, *others = plan.seeds
    slots = []
    if plan.prefixed:
        slots.append(prefix(first))
    if not plan.prefixed or progress.ended.get(prefix(first)) == "complete":
        slots += [trial(plan, number) for number in range(plan.trials)]
    slots += [Slot(role="reference", seed=seed, label=label) for seed in plan.seeds for label in plan.references]
    if plan.prefixed and plan.finalists:
        slots += [prefix(seed) for seed in others]
    chosen = finalists(plan, progress)
    slots += [Slot(role="replicate", seed=seed, number=number) for seed in plan.seeds for number in chosen]
    return slots
