"""Could a trial that the scheduler cut have become a finalist? Judged from the curves that were recorded.

A cut trial needed to rise from its value at the rung to the worst finalist's final value. What trials gain from that
epoch to their end is known for those that were left to finish; the largest such gain decides. This is evidence, not
proof: the trials that finished were the better ones at the rung, so the slowest starters' gains were never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.wording import counted, score

CROSSING = 0.7  # a rank correlation below this means that curves cross too often for a rung to be trusted
FEWEST = 4  # finished trials without which a rank correlation says nothing


@dataclass(frozen=True)
class Verdict:
    """What is known of one cut."""

    trial: int
    epoch: int | None
    value: float | None  # there
    bar: float | None  # final value of the worst finalist
    largest_gain: float | None  # from that epoch to the end, among finished trials
    trials: int  # how many finished trials that rests on
    answer: Literal["could", "could not", "unknown"]

    @property
    def sentence(self) -> str:
        """The verdict with its numbers, in words."""
        start = f"Trial {self.trial} was cut"
        if self.epoch is None or self.value is None:
            return f"{start} before it had a value; whether it could have been a finalist is unknown."
        start += f" at epoch {self.epoch} with {score(self.value)}"
        if self.bar is None:
            return f"{start}; no trial has finished that it could be compared with."
        needed = f"{start} and needed {self.bar - self.value:+.3f} to reach the worst finalist ({score(self.bar)})"
        if self.largest_gain is None:
            return f"{needed}; no finished trial has a curve that shows what was still to be gained."
        among = counted(self.trials, "finished trial")
        gains = f"the largest gain from there among {among} is {self.largest_gain:+.3f}"
        return f"{needed}; {gains}: it {self.answer} have been a finalist."


@dataclass(frozen=True)
class Foretelling:
    """How well the values at an epoch foretell the order at the end."""

    epoch: int
    correlation: float  # Spearman's, between the value at that epoch and the final value
    trials: int

    @property
    def crosses(self) -> bool:
        """Whether curves cross so much that stopping at this epoch keeps the wrong trials."""
        return self.correlation < CROSSING


def value_at(trial: Trial, epoch: int) -> float | None:
    """The last finite value of the trial's curve up to `epoch`."""
    return next((value for at, value in reversed(trial.points) if at <= epoch), None)


def bar(results: SearchResults) -> float | None:
    """The final value that a trial needed to become a finalist; provisional until finalists are chosen."""
    chosen = {finalist.number for finalist in results.finalists}
    finished = results.in_state("complete")
    if chosen:
        return min((t.value for t in finished if t.number in chosen and t.value is not None), default=None)
    ranked = sorted((t.value for t in finished if t.value is not None), reverse=True)
    return ranked[: results.design.finalists][-1] if ranked and results.design.finalists else None


def verdicts(results: SearchResults) -> tuple[Verdict, ...]:
    """One verdict for each cut trial, by number; none where less is better, which is not judged yet."""
    if results.design.minimised:
        return ()
    finished = results.in_state("complete")
    return tuple(_verdict(trial, finished, bar(results)) for trial in results.in_state("cut"))


def _verdict(trial: Trial, finished: Sequence[Trial], needed: float | None) -> Verdict:
    epoch = trial.rung if trial.rung is not None else trial.points[-1][0] if trial.points else None
    value = trial.value if epoch is None else value_at(trial, epoch)
    value = trial.value if value is None else value
    gains = [] if epoch is None else _gains(finished, epoch)
    largest = max(gains, default=None)
    answer: Literal["could", "could not", "unknown"] = "unknown"
    if value is not None and needed is not None and largest is not None:
        answer = "could" if value + largest >= needed else "could not"
    return Verdict(trial.number, epoch, value, needed, largest, len(gains), answer)


def _gains(finished: Sequence[Trial], epoch: int) -> list[float]:
    starts = [(trial.value, value_at(trial, epoch)) for trial in finished]
    return [final - start for final, start in starts if final is not None and start is not None]


def foretelling(trials: Sequence[Trial], epochs: Sequence[int]) -> tuple[Foretelling, ...]:
    """Spearman's rank correlation at each epoch, over finished trials; none where fewer than `FEWEST` can tell."""
    return tuple(found for epoch in epochs if (found := _foretelling(trials, epoch)) is not None)


def _foretelling(trials: Sequence[Trial], epoch: int) -> Foretelling | None:
    finished = [(trial.value, value_at(trial, epoch)) for trial in trials if trial.state == "complete"]
    pairs = np.array([(start, final) for final, start in finished if final is not None and start is not None])
    if len(pairs) < FEWEST or np.ptp(pairs, axis=0).min() == 0:
        return None
    correlation = np.corrcoef(_ranks(pairs[:, 0]), _ranks(pairs[:, 1]))[0, 1]
    return Foretelling(epoch, float(correlation), len(pairs))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0, ties sharing their mean rank."""
    below = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    ranks: NDArray[np.float64] = below + (equal - 1) / 2
    return ranks
