"""What was left on the table: the refinement's best configuration minus the frozen point.

The refinement chooses its best by the objective, so the difference in that is flattered by the choice; where it is
against the best even so, the frozen point is the better one. The test cases had no part in it: there the difference is
judged over seeds and cases. All differences are under the seeds that both have.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsearch.reporting.comparison import Comparison, compare
from medsearch.reporting.metrics import full_words, metric_of, short
from medsearch.reporting.results import Replicate, StagedResults
from medsearch.reporting.search.narrative import unfinished
from medsearch.reporting.search.tables import DICE, TestedRow, summary
from medsearch.reporting.statistics import by_seed, known
from medsearch.reporting.variance_components import CONFIDENCE, Interval
from medsearch.reporting.wording import counted
from medsearch.study.declare.refinement import FROZEN


@dataclass(frozen=True, kw_only=True)
class RefinementGain:
    """Differences are refined minus frozen, of means over the seeds that both have; None where there is none."""

    metric: str
    trial: int | None  # the best of the refinement
    trials: int  # of the refinement that came to their end
    failed: int = 0  # of them that did not
    itself: bool  # whether that is the frozen point
    lost: str = ""  # which of the two failed on every seed
    minimised: bool = False  # whether less of the metric is better
    objective: float | None = None
    leading: str = DICE  # the test metric
    tested: float | None = None  # in that metric
    comparison: Comparison | None = None  # in that metric, case by case
    provisional: bool = False

    @property
    def worse(self) -> bool:
        """Whether the best of the refinement is no better than the frozen point, over the seeds that both have."""
        if self.objective is None or self.itself:
            return False
        return self.objective > 0 if self.minimised else self.objective < 0

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return f"So far: {self._verdict}" if self.provisional else self._verdict

    @property
    def _verdict(self) -> str:
        if self.lost:
            return f"What was left on the table cannot be told: {self.lost} failed on every seed."
        if self.itself:
            near = f"{counted(self.trials, 'trial')} near it, itself included"
            near += f", and {self.failed} failed" if self.failed else ""
            return f"Nothing was left on the table: the frozen point is the best of {near}."
        effect = self.comparison.effect if self.comparison else None
        moved = f"{self._moved(effect.estimate)}{self._over(effect)}" if effect else ""
        if self.worse:
            told = f"{moved}{self._chosen_by}" if moved else self._chosen_by.removeprefix("; ")
            return f"Nothing was left on the table, Frozen is better: the best near it has {told}."
        if effect is None:
            return f"What was left on the table cannot be told{self._untold}{self._chosen_by}."
        return f"{self._finding(effect).format(moved)}{self._chosen_by}."

    @property
    def _untold(self) -> str:
        """What the test says where it names no cases."""
        return ": nothing was tested" if self.tested is None else f": {self._moved(self.tested)}, but no case by case"

    def _moved(self, by: float) -> str:
        """`+0.050 test Dice`."""
        return f"{by:+.{metric_of(self.leading).digits}f} {full_words(self.leading)}"

    def _over(self, effect: Interval) -> str:
        seeds, digits = self.comparison.fewest_seeds if self.comparison else 0, metric_of(self.leading).digits
        rests = f"{counted(effect.cases, 'case')}, {counted(seeds, 'seed')}"
        if effect.low is None or effect.high is None:
            return f" ({rests}: {effect.reason}{self._of_models})"
        return f" ({CONFIDENCE:.0%} interval {effect.low:+.{digits}f} to {effect.high:+.{digits}f}; {rests})"

    @property
    def _of_models(self) -> str:
        """What can be said all the same, of these trained models."""
        found = self.comparison
        if found is None or found.wilcoxon_p is None:
            return ""
        return f"; of these trained models, p = {found.wilcoxon_p:.2g} over test cases ({found.wilcoxon_test})"

    def _finding(self, effect: Interval) -> str:
        if effect.low is None or effect.high is None:
            return "What was left on the table cannot be told: {}"
        less = metric_of(self.leading).better == "less"
        if effect.high < 0 if less else effect.low > 0:
            return "Left on the table: {}"
        if effect.low > 0 if less else effect.high < 0:
            word = "higher, which is worse" if less else "lower"
            return f"Nothing was left on the table, the best near the frozen point tests {word}: {{}}"
        return "Nothing beyond its interval was left on the table: {}"

    @property
    def _chosen_by(self) -> str:
        return "" if self.objective is None else f"; {self.objective:+.3f} {self.metric}, by which it was chosen"


def left(results: StagedResults) -> RefinementGain | None:
    """The verdict; None without a refinement, or before its best and the frozen point have run."""
    refined = results.refinement
    rows = summary(refined.search) if refined and refined.search else ()
    best = next((row for row in rows if row.kind == "best"), None)
    frozen = next((row for row in rows if row.label == FROZEN), None)
    if refined is None or refined.search is None or best is None or frozen is None:
        return None
    lost = " and ".join(name for name, row in (("the refinement's best", best), (FROZEN, frozen)) if _lost(row))
    if not all(_done(row) or _lost(row) for row in (best, frozen)):
        return None
    trial = refined.search.trial(best.trial) if best.trial is not None else None
    return RefinementGain(
        metric=refined.metric,
        trial=best.trial,
        trials=len(refined.search.in_state("complete")),
        failed=len(refined.search.in_state("failed")),
        itself=trial is not None and _same(trial.knobs, results.point),
        lost=lost,
        minimised=refined.minimised,
        objective=_difference(best, frozen, "value"),
        leading=best.leading,
        tested=_difference(best, frozen, best.leading),
        comparison=compare(*(by_seed(row.replicates, short(row.leading)) for row in (best, frozen))),
        provisional=bool(unfinished(refined.search)),
    )


def _done(row: TestedRow) -> bool:
    return any(run.state == "complete" for run in row.replicates)


def _lost(row: TestedRow) -> bool:
    """Whether it failed on every seed."""
    return not _done(row) and row.tested.failed > 0 and row.tested.waiting <= 0


def _difference(row: TestedRow, reference: TestedRow, metric: str) -> float | None:
    """Of the means over the seeds that both have."""
    ours, theirs = (_values(of.replicates, metric) for of in (row, reference))
    both = sorted(ours.keys() & theirs.keys())
    return statistics.fmean(ours[seed] - theirs[seed] for seed in both) if both else None


def _values(replicates: Sequence[Replicate], metric: str) -> dict[int, float]:
    done = [run for run in replicates if run.state == "complete"]
    found = {run.seed: run.value if metric == "value" else run.metrics.get(metric) for run in done}
    return {seed: float(value) for seed, value in found.items() if value is not None and known(value)}


def _same(knobs: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    return all(_equal(value, point.get(knob)) for knob, value in knobs.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)
