"""Early stopping, judged from the curves that were recorded.

Could a trial that the scheduler cut have become a finalist? It needed to rise from its value at the rung to the worst
finalist's final value. What trials gain from that epoch to their end is known for those that were left to finish; the
largest such gain decides. This is evidence, not proof: the trials that finished were the better ones at the rung, so
the slowest starters' gains were never seen.

What would a scheduler have cut, and saved? Trials that ran to their end are replayed in the order of their numbers, as
many at a time as there are workers, one epoch a turn, which is how an asynchronous scheduler meets them. Trials that
were cut, failed or are running have no full curve and take no part.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.wording import counted, score

CROSSING = 0.7  # a rank correlation below this means that curves cross too often for a rung to be trusted
FEWEST = 4
"""Finished trials without which a rank correlation, and a replay, say nothing."""
Rule = Callable[[int, int, float], bool]
"""(trial number, epoch, value) -> whether to stop it."""


@dataclass(frozen=True)
class Verdict:
    """Whether a trial that the scheduler cut could have become a finalist, and by which numbers."""

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


def verdicts(results: SearchResults) -> tuple[Verdict, ...]:
    """One verdict for each cut trial, by number; none where less is better, which is not judged yet."""
    found, finished, needed = [], results.in_state("complete"), bar(results)
    for trial in results.in_state("cut") if not results.design.minimised else ():
        epoch = trial.rung if trial.rung is not None else trial.points[-1][0] if trial.points else None
        value = None if epoch is None else value_at(trial, epoch)
        value = trial.value if value is None else value
        starts = [(other.value, value_at(other, epoch)) for other in finished if epoch is not None]
        gains = [final - start for final, start in starts if final is not None and start is not None]
        largest = max(gains, default=None)
        answer: Literal["could", "could not", "unknown"] = "unknown"
        if value is not None and needed is not None and largest is not None:
            answer = "could" if value + largest >= needed else "could not"
        found.append(Verdict(trial.number, epoch, value, needed, largest, len(gains), answer))
    return tuple(found)


def value_at(trial: Trial, epoch: int) -> float | None:
    """The last finite value of the trial's curve up to `epoch`."""
    return next((value for at, value in reversed(trial.points) if at <= epoch), None)


def bar(results: SearchResults) -> float | None:
    """The final value that a trial needed to become a finalist; provisional until finalists are chosen."""
    chosen = {finalist.number for finalist in results.finalists}
    values = [(trial.number, trial.value) for trial in results.in_state("complete") if trial.value is not None]
    if chosen:
        return min((value for number, value in values if number in chosen), default=None)
    ranked = sorted((value for _, value in values), reverse=True)
    return ranked[: results.design.finalists][-1] if ranked and results.design.finalists else None


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


def foretelling(trials: Sequence[Trial], epochs: Sequence[int]) -> tuple[Foretelling, ...]:
    """Spearman's rank correlation at each epoch, over finished trials; none where fewer than `FEWEST` can tell."""
    from scipy.stats import rankdata

    found = []
    for epoch in epochs:
        finished = [(value_at(trial, epoch), trial.value) for trial in trials if trial.state == "complete"]
        pairs = np.array([(start, final) for start, final in finished if final is not None and start is not None])
        if len(pairs) >= FEWEST and np.ptp(pairs, axis=0).min() > 0:
            starts, finals = rankdata(pairs, axis=0).T - 1
            found.append(Foretelling(epoch, float(np.corrcoef(starts, finals)[0, 1]), len(pairs)))
    return tuple(found)


@dataclass(frozen=True)
class Replay:
    """The outcome of a scheduler that was not, or not alone, in charge."""

    rule: str
    trials: int  # with a full curve
    cut: tuple[tuple[int, int], ...]  # (trial number, epoch)
    finalists_cut: tuple[int, ...]
    saved: float  # share of the recorded epochs that would not have been run


def replays(results: SearchResults) -> tuple[Replay, ...]:
    """Both rules on a search's full curves, at its own settings; without any, grace is a quarter and reduction 2.

    None where less is better.
    """
    scheduler, curves = results.design.scheduler, _full(results.trials)
    longest = max((trial.points[-1][0] for trial in curves), default=0)
    grace = scheduler.grace or max(1, longest // 4)
    if results.design.minimised or len(curves) < FEWEST or grace >= longest:
        return ()
    finalists = [finalist.number for finalist in results.finalists]
    asha = replay_asha(results.trials, grace=grace, reduction=scheduler.reduction or 2, finalists=finalists)
    return asha, replay_median(results.trials, grace=grace, finalists=finalists)


def rungs(grace: int, reduction: int, longest: int) -> tuple[int, ...]:
    """The epochs at which ASHA compares trials: grace, grace * reduction, ... below the last epoch."""
    epochs, epoch = [], grace
    while epoch < longest:
        epochs.append(epoch)
        epoch *= max(reduction, 2)
    return tuple(epochs)


def replay_asha(
    trials: Sequence[Trial], *, grace: int, reduction: int, finalists: Iterable[int], workers: int = 1
) -> Replay:
    """ASHA: at each rung a trial stops when it is below the best 1/reduction of those that were there before it."""
    curves = _full(trials)
    levels = rungs(grace, reduction, max((trial.points[-1][0] for trial in curves), default=0))
    seen: dict[int, dict[int, float]] = {level: {} for level in levels}

    def stop(trial: int, epoch: int, value: float) -> bool:
        level = max((level for level in levels if level <= epoch), default=None)
        if level is None or trial in seen[level]:
            return False
        earlier = list(seen[level].values())
        seen[level][trial] = value
        return bool(earlier) and value < float(np.percentile(earlier, 100 * (1 - 1 / reduction)))

    return _replay(f"ASHA (grace {grace}, reduction {reduction})", curves, stop, finalists, workers)


def replay_median(
    trials: Sequence[Trial], *, grace: int, finalists: Iterable[int], workers: int = 1, fewest: int = 3
) -> Replay:
    """Median stopping: a trial stops when its best value is below the median of the others' means since grace.

    fewest: other trials without which none stops.
    """
    best: dict[int, float] = {}
    since: dict[int, tuple[list[int], list[float]]] = {}  # epochs from grace on, and the sum of values up to each

    def stop(trial: int, epoch: int, value: float) -> bool:
        best[trial] = max(best.get(trial, value), value)
        if epoch < grace:
            return False
        epochs, sums = since.setdefault(trial, ([], []))
        epochs.append(epoch)
        sums.append(value + (sums[-1] if sums else 0.0))
        others = [since[number] for number in since if number != trial and since[number][0][-1] >= epoch]
        counts = [(bisect_right(epochs, epoch), sums) for epochs, sums in others]
        means = [sums[count - 1] / count for count, sums in counts if count]
        return len(means) >= fewest and best[trial] < float(np.median(means))

    return _replay(f"median stopping (grace {grace})", _full(trials), stop, finalists, workers)


def _full(trials: Sequence[Trial]) -> list[Trial]:
    return sorted((t for t in trials if t.state == "complete" and t.points), key=lambda trial: trial.number)


def _replay(name: str, curves: list[Trial], rule: Rule, finalists: Iterable[int], workers: int) -> Replay:
    """Every epoch that is still run: each worker's trial in turn, and the next trial as soon as one ends or stops."""
    cut: dict[int, int] = {}
    waiting = iter(curves)
    running: list[tuple[Trial, Iterator[tuple[int, float]]]] = []
    while True:
        while len(running) < workers and (trial := next(waiting, None)) is not None:
            running.append((trial, iter(trial.points)))
        if not running:
            break
        for trial, points in tuple(running):
            epoch, value = (None, 0.0) if trial.number in cut else next(points, (None, 0.0))
            if epoch is None:
                running.remove((trial, points))
            elif epoch < trial.points[-1][0] and rule(trial.number, epoch, value):
                cut[trial.number] = epoch
    total = sum(len(trial.points) for trial in curves)
    run = sum(sum(epoch <= cut.get(t.number, epoch) for epoch, _ in t.points) for t in curves)
    lost = tuple(sorted(set(cut) & set(finalists)))
    return Replay(name, len(curves), tuple(sorted(cut.items())), lost, 1 - run / total if total else 0.0)
