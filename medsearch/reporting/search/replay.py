"""Early stopping replayed on curves that ran to their end: what it would have cut, and saved.

Trials are replayed in the order of their numbers, as many at a time as there are workers, one epoch a turn, which is
how an asynchronous scheduler meets them. Trials that were cut, failed or are running have no full curve and take no
part.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from medsearch.reporting.search.results import SearchResults, Trial

FEWEST = 4  # curves without which a replay says nothing
Rule = Callable[[int, int, float], bool]  # (trial number, epoch, value) -> stop it?


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
