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
from numpy.typing import NDArray

from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.wording import counted, score

CROSSING = 0.7  # a rank correlation below this means that curves cross too often for a rung to be trusted
FEWEST = 4
"""Finished trials without which a rank correlation, and a replay, say nothing."""
Rule = Callable[[int, int, float], bool]
"""(trial number, epoch, value) -> whether to stop it."""


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
    starts = [(trial.value, value_at(trial, epoch)) for trial in finished if epoch is not None]
    gains = [final - start for final, start in starts if final is not None and start is not None]
    largest = max(gains, default=None)
    answer: Literal["could", "could not", "unknown"] = "unknown"
    if value is not None and needed is not None and largest is not None:
        answer = "could" if value + largest >= needed else "could not"
    return Verdict(trial.number, epoch, value, needed, largest, len(gains), answer)


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


@dataclass(frozen=True)
class Replay:
    """The outcome of a scheduler that was not, or not alone, in charge."""

    rule: str
    trials: int  # with a full curve
    cut: tuple[tuple[int, int], ...]  # (trial number, epoch)
    finalists_cut: tuple[int, ...]
    saved: float  # share of the recorded epochs that would not have been run


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
    levels = rungs(grace, reduction, _longest(curves))
    return _replay(f"ASHA (grace {grace}, reduction {reduction})", curves, _asha(levels, reduction), finalists, workers)


def replay_median(trials: Sequence[Trial], *, grace: int, finalists: Iterable[int], workers: int = 1) -> Replay:
    """Median stopping: a trial stops when its best value is below the median of the others' means since grace."""
    return _replay(f"median stopping (grace {grace})", _full(trials), _median(grace), finalists, workers)


def replays(results: SearchResults) -> tuple[Replay, ...]:
    """Both rules on a search's full curves, at its own settings; without any, grace is a quarter and reduction 2.

    None where less is better.
    """
    scheduler = results.design.scheduler
    curves = _full(results.trials)
    grace = scheduler.grace or max(1, _longest(curves) // 4)
    if results.design.minimised or len(curves) < FEWEST or grace >= _longest(curves):
        return ()
    finalists = [finalist.number for finalist in results.finalists]
    asha = replay_asha(results.trials, grace=grace, reduction=scheduler.reduction or 2, finalists=finalists)
    return asha, replay_median(results.trials, grace=grace, finalists=finalists)


def _full(trials: Sequence[Trial]) -> list[Trial]:
    return sorted((t for t in trials if t.state == "complete" and t.points), key=lambda trial: trial.number)


def _longest(curves: Sequence[Trial]) -> int:
    return max((trial.points[-1][0] for trial in curves), default=0)


def _asha(levels: tuple[int, ...], reduction: int) -> Rule:
    seen: dict[int, dict[int, float]] = {level: {} for level in levels}

    def stop(trial: int, epoch: int, value: float) -> bool:
        level = max((level for level in levels if level <= epoch), default=None)
        if level is None or trial in seen[level]:
            return False
        earlier = list(seen[level].values())
        seen[level][trial] = value
        return bool(earlier) and value < float(np.percentile(earlier, 100 * (1 - 1 / reduction)))

    return stop


def _median(grace: int, fewest: int = 3) -> Rule:
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

    return stop


def _replay(name: str, curves: list[Trial], rule: Rule, finalists: Iterable[int], workers: int) -> Replay:
    cut: dict[int, int] = {}
    last = {trial.number: trial.points[-1][0] for trial in curves}
    for trial, epoch, value in _turns(curves, workers, stopped=cut):
        if epoch < last[trial.number] and rule(trial.number, epoch, value):
            cut[trial.number] = epoch
    total = sum(len(trial.points) for trial in curves)
    run = sum(sum(epoch <= cut.get(t.number, epoch) for epoch, _ in t.points) for t in curves)
    lost = tuple(sorted(set(cut) & set(finalists)))
    return Replay(name, len(curves), tuple(sorted(cut.items())), lost, 1 - run / total if total else 0.0)


def _turns(curves: list[Trial], workers: int, *, stopped: dict[int, int]) -> Iterator[tuple[Trial, int, float]]:
    """Every epoch that is still run: each worker's trial in turn, and the next trial as soon as one ends or stops."""
    waiting = iter(curves)
    running: list[tuple[Trial, Iterator[tuple[int, float]]]] = []
    while True:
        while len(running) < workers and (trial := next(waiting, None)) is not None:
            running.append((trial, iter(trial.points)))
        if not running:
            return
        for slot in tuple(running):
            point = None if slot[0].number in stopped else next(slot[1], None)
            if point is None:
                running.remove(slot)
            else:
                yield slot[0], *point
