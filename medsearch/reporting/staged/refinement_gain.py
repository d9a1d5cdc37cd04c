"""What was left on the table: the refinement's best configuration minus the frozen point.

The refinement chooses its best by the objective, so the difference in that is flattered by the choice; where it is
against the best even so, the frozen point is the better one. The test cases had no part in it: there the difference is
judged over seeds and cases. All differences are under the seeds that both have.
"""

import math
import statistics
from dataclasses import dataclass

from medsearch.reporting.comparison import Comparison, compare
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.results import StagedResults
from medsearch.reporting.search.narrative import unfinished
from medsearch.reporting.search.tables import DICE, TestedRow, summary
from medsearch.reporting.variance_components import CONFIDENCE
from medsearch.reporting.wording import counted
from medsearch.study.record.headers import FROZEN


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
        """What was left on the table, with its interval; "So far" while runs of the refinement are to come."""
        return f"So far: {self._verdict}" if self.provisional else self._verdict

    @property
    def _verdict(self) -> str:
        if self.lost:
            return f"What was left on the table cannot be told: {self.lost} failed on every seed."
        if self.itself:
            near = f"{counted(self.trials, 'trial')} near it, itself included"
            near += f", and {self.failed} failed" if self.failed else ""
            return f"Nothing was left on the table: the frozen point is the best of {near}."
        known, compared = metric_of(self.leading), self.comparison
        effect, less = compared.effect if compared else None, known.better == "less"
        chosen = "" if self.objective is None else f"; {self.objective:+.3f} {self.metric}, by which it was chosen"
        moved = ""
        if compared and effect:
            moved = f"{effect.estimate:+.{known.digits}f} {full_words(self.leading)}"
            rests = f"{counted(effect.cases, 'case')}, {counted(compared.fewest_seeds, 'seed')}"
            if effect.low is None or effect.high is None:
                p, test = compared.wilcoxon_p, compared.wilcoxon_test
                models = "" if p is None else f"; of these trained models, p = {p:.2g} over test cases ({test})"
                moved += f" ({rests}: {effect.reason}{models})"
            else:
                ends = f"{effect.low:+.{known.digits}f} to {effect.high:+.{known.digits}f}"
                moved += f" ({CONFIDENCE:.0%} interval {ends}; {rests})"
        if self.worse:
            told = f"{moved}{chosen}".removeprefix("; ")
            return f"Nothing was left on the table, Frozen is better: the best near it has {told}."
        if effect is None:
            words = "" if self.tested is None else f"{self.tested:+.{known.digits}f} {full_words(self.leading)}"
            untold = f": {words}, but no case by case" if words else ": nothing was tested"
            found = f"What was left on the table cannot be told{untold}"
        elif effect.low is None or effect.high is None:
            found = f"What was left on the table cannot be told: {moved}"
        elif effect.high < 0 if less else effect.low > 0:
            found = f"Left on the table: {moved}"
        elif effect.low > 0 if less else effect.high < 0:
            word = "higher, which is worse" if less else "lower"
            found = f"Nothing was left on the table, the best near the frozen point tests {word}: {moved}"
        else:
            found = f"Nothing beyond its interval was left on the table: {moved}"
        return f"{found}{chosen}."


def left(results: StagedResults) -> RefinementGain | None:
    """The verdict; None without a refinement, or before its best and the frozen point have run."""
    refined = results.refinement
    rows = summary(refined.search) if refined and refined.search else ()
    best = next((row for row in rows if row.kind == "best"), None)
    frozen = next((row for row in rows if row.label == FROZEN), None)
    if refined is None or refined.search is None or best is None or frozen is None:
        return None
    lost = []
    for name, row in (("the refinement's best", best), (FROZEN, frozen)):
        if not any(run.state == "complete" for run in row.replicates):
            if not row.tested.failed or row.tested.waiting > 0:
                return None
            lost.append(name)
    trial = refined.search.trial(best.trial) if best.trial is not None else None
    return RefinementGain(
        metric=refined.metric,
        trial=best.trial,
        trials=len(refined.search.in_state("complete")),
        failed=len(refined.search.in_state("failed")),
        itself=trial is not None and all(_equal(value, results.point.get(knob)) for knob, value in trial.knobs.items()),
        lost=" and ".join(lost),
        minimised=refined.minimised,
        objective=_difference(best, frozen, "value"),
        leading=best.leading,
        tested=_difference(best, frozen, best.leading),
        comparison=compare(*(row.scores(best.leading).by_seed for row in (best, frozen))),
        provisional=bool(unfinished(refined.search)),
    )


def _difference(row: TestedRow, reference: TestedRow, metric: str) -> float | None:
    """Of the means over the seeds that both have."""
    ours, theirs = row.scores(metric).values, reference.scores(metric).values
    both = sorted(ours.keys() & theirs.keys())
    return statistics.fmean(ours[seed] - theirs[seed] for seed in both) if both else None


def _equal(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9)
    return bool(ours == theirs)
