"""What was left on the table: the refinement's best configuration minus the frozen point.

The refinement chooses its best by the objective, so the difference in that is flattered by the choice. The test cases
had no part in it: there the difference is judged case by case, under the seeds that both have.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsearch.reporting import statistics
from medsearch.reporting.comparison import BySeed, Comparison, compare
from medsearch.reporting.evidence import Replicate
from medsearch.reporting.resampling import CONFIDENCE, Interval
from medsearch.reporting.search.answer import unfinished
from medsearch.reporting.search.tables import Row, summary
from medsearch.reporting.staged.results import StagedResults
from medsearch.reporting.wording import counted
from medsearch.study.refinement import FROZEN


@dataclass(frozen=True, kw_only=True)
class Left:
    """Differences are refined minus frozen, of means over seeds; None where one of them has no value."""

    metric: str
    trial: int | None  # the best of the refinement
    trials: int  # of the refinement
    itself: bool  # whether that is the frozen point
    objective: float | None = None
    dice: float | None = None
    comparison: Comparison | None = None  # of test Dice, case by case
    provisional: bool = False

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return f"So far: {self._verdict}" if self.provisional else self._verdict

    @property
    def _verdict(self) -> str:
        if self.itself:
            near = f"{counted(self.trials, 'trial')} near it, itself included"
            return f"Nothing was left on the table: the frozen point is the best of {near}."
        effect = self.comparison.effect if self.comparison else None
        if effect is None:
            return f"What was left on the table cannot be told{self._untold}{self._chosen_by}."
        moved = f"{effect.estimate:+.3f} test Dice{self._over(effect)}"
        return f"{_finding(effect).format(moved)}{self._chosen_by}."

    @property
    def _untold(self) -> str:
        """What the test says where it names no cases."""
        return ": nothing was tested" if self.dice is None else f": {self.dice:+.3f} test Dice, but no case by case"

    def _over(self, effect: Interval) -> str:
        seeds = len(self.comparison.seeds) if self.comparison else 0
        rests = f"{counted(effect.cases, 'case')}, {counted(seeds, 'seed')}"
        if effect.low is None or effect.high is None:
            return f" ({rests}: too few for an interval)"
        return f" ({CONFIDENCE:.0%} interval {effect.low:+.3f} to {effect.high:+.3f}; {rests})"

    @property
    def _chosen_by(self) -> str:
        return "" if self.objective is None else f"; {self.objective:+.3f} {self.metric}, by which it was chosen"


def _finding(effect: Interval) -> str:
    if effect.low is None or effect.high is None:
        return "What was left on the table cannot be told: {}"
    if effect.low > 0:
        return "Left on the table: {}"
    if effect.high < 0:
        return "Nothing was left on the table, the best near the frozen point tests lower: {}"
    return "Nothing beyond its interval was left on the table: {}"


def left(results: StagedResults) -> Left | None:
    """The verdict; None without a refinement, or before its best and the frozen point have run."""
    refined = results.refinement
    rows = summary(refined.search) if refined and refined.search else ()
    best = next((row for row in rows if row.kind == "best"), None)
    frozen = next((row for row in rows if row.label == FROZEN), None)
    if refined is None or refined.search is None or best is None or frozen is None:
        return None
    if not (_done(best) and _done(frozen)):
        return None
    trial = refined.search.trial(best.trial) if best.trial is not None else None
    return Left(
        metric=refined.metric,
        trial=best.trial,
        trials=len(refined.search.trials),
        itself=trial is not None and _same(trial.knobs, results.point),
        objective=_difference(best, frozen, "value"),
        dice=_difference(best, frozen, "test/dice"),
        comparison=compare(_by_seed(best.replicates), _by_seed(frozen.replicates)),
        provisional=bool(unfinished(refined.search)),
    )


def _done(row: Row) -> bool:
    return any(run.state == "complete" for run in row.replicates)


def _difference(row: Row, reference: Row, metric: str) -> float | None:
    ours, theirs = (statistics.over_seeds(of.replicates, metric).mean for of in (row, reference))
    return None if ours is None or theirs is None else ours - theirs


def _by_seed(replicates: Sequence[Replicate]) -> BySeed:
    done = [run for run in replicates if run.state == "complete" and run.cases]
    return {run.seed: {str(case["subject"]): case.get("dice") for case in run.cases} for run in done}


def _same(knobs: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    return all(_equal(value, point.get(knob)) for knob, value in knobs.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)
