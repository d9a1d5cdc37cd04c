"""The text of every cell, the same in every table, on the page and in the terminal."""

from medsearch.core.reported import Reported
from medsearch.reporting.ablation.changes import CHANGE, RelativeChange
from medsearch.reporting.ablation.measure import Lost, Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.variance_components import Interval
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import NOTHING, listed, percent, percent_interval, score

SURVIVORS = "†"
"""Stands at a mean that lacks planned seeds."""

NOT_ASKED = "not asked"
NO_TEST = "no test"
ONE_SEED = "one seed"


def mean_sd(of: Measure) -> str:
    """`0.844 ± 0.001` over seeds; without a spread where there is one value only."""
    return _plus_minus(of.seeds.mean, of.seeds.sd, of.known.digits)


def _plus_minus(value: float | None, spread: float | None, digits: int) -> str:
    return score(value, digits) + ("" if spread is None else f" ± {score(spread, digits)}")


def measured(of: Measure | None) -> str:
    """Mean ± SD over seeds with what it rests on: `0.844 ± 0.001 (n=3)`, `0.8 ± 0.1 † (2 of 3, seed 1 diverged)`."""
    if of is None:
        return NOT_ASKED
    if of.whole:
        return f"{mean_sd(of)} (n={of.planned})"
    if not of.values:
        return lacking(of)
    return f"{mean_sd(of)} {SURVIVORS} ({lacking(of)})"


def lacking(of: Measure) -> str:
    """How many of the planned seeds have a value, and why the others have none: `2 of 3, seed 1 diverged`."""
    if of.seeds.waiting == of.planned:
        return "not yet"
    words = dict.fromkeys(lost.word for lost in of.lost if lost.kind != "waiting")
    reasons = [_seeds_that([lost for lost in of.lost if lost.word == word], word) for word in words]
    so_far = " so far" if of.seeds.waiting else ""
    return ", ".join([f"{len(of.values)} of {of.planned}{so_far}", *reasons])


def _seeds_that(lost: list[Lost], word: str) -> str:
    return f"seed{'s' * (len(lost) > 1)} {listed(one.seed for one in lost)} {word}"


def over_cases(of: Measure | None) -> str:
    """SD over test cases with their number: `0.051 (37 cases)`."""
    if of is None or of.cases.sd is None:
        return NOTHING
    return f"{score(of.cases.sd, of.known.digits)} ({of.cases.n} cases)"


def printed(reported: Reported | None) -> str:
    """A reported value with its spread and what that is over: `0.863 ± 0.002 (3 seeds)`."""
    if reported is None:
        return NOTHING
    if reported.metric == "share":
        return percent(reported.value)
    over = f" ({reported.n or ''} {reported.spread_of})".replace("( ", "(") if reported.spread_of else ""
    return alone(reported) + over


def alone(reported: Reported) -> str:
    """A reported value with its spread, without what that is over."""
    if reported.metric == CHANGE:
        return relative(reported.value, reported.spread)
    return _plus_minus(reported.value, reported.spread, metric_of(reported.metric).digits)


def judged(verdict: Verdict | None) -> str:
    """A verdict's word."""
    return NOTHING if verdict is None else verdict.kind


def effect(of: Measure, measures: Measures) -> str:
    """A mean paired difference with its interval: `−0.027 [−0.040, −0.012]`; marked if it lacks planned seeds."""
    comparison = measures.comparisons.get(of.key)
    if comparison is None or comparison.effect is None:
        return NOTHING
    mark = f" {SURVIVORS}" if comparison.fewest_seeds < of.planned else ""
    return effect_interval(comparison.effect, of.known.digits) + mark


def effect_interval(of: Interval, digits: int) -> str:
    """A difference with its interval, `−0.027 [−0.040, −0.012]`; without one where there is none."""
    between = f" [{', '.join(signed(end, digits) for end in of.bounds)}]" if of.bounds else ""
    return f"{signed(of.estimate, digits)}{between}"


def probability(comparison: Comparison | None) -> str:
    """The methods' p-value after Holm; the caption says why there is none."""
    if comparison is None:
        return NOTHING
    if comparison.p_holm is None:
        return ONE_SEED if comparison.effect and comparison.fewest_seeds < 2 else NO_TEST
    return f"{comparison.p_holm:.2g}"


def of_models(comparison: Comparison | None) -> str:
    """The p-value of these trained models, Wilcoxon's over cases, after Holm; the caption says why there is none."""
    if comparison is None:
        return NOTHING
    return NO_TEST if comparison.wilcoxon_p_holm is None else f"{comparison.wilcoxon_p_holm:.2g}"


def share(of: Measure | None, measures: Measures) -> str:
    """A share of the target-supervised model with its interval: `93% [90, 95]`."""
    found = None if of is None else measures.share(of)
    if of is None or found is None:
        return NOTHING
    return percent_interval(found) + ("" if measures.shares_whole(of) else f" {SURVIVORS}")


def change(of: RelativeChange | None) -> str:
    """A relative change with what it rests on: `−8.22 ± 2.71 % (n=3)`, `−8.22 ± 2.71 % † (2 of 3)`."""
    if of is None or of.seeds.mean is None:
        return NOTHING
    rests = f"(n={of.seeds.n})" if of.whole else f"{SURVIVORS} ({of.seeds.n} of {of.of.planned})"
    return f"{relative(of.seeds.mean, of.seeds.sd)} {rests}"


def change_interval(of: RelativeChange | None) -> str:
    """The interval of a relative change: `[−12.31, −4.10]`; why it is not shown, or empty where there is none."""
    interval = of.found.interval if of and of.found else None
    if interval is None or interval.bounds is None:
        return interval.reason if interval and interval.wide else ""
    return f"[{', '.join(_points(end) for end in interval.bounds)}]"


def relative(value: float, spread: float | None) -> str:
    """A relative change in % as papers print it, with its sign: `−8.22 ± 2.71 %`."""
    return f"{_points(value)}{'' if spread is None else f' ± {spread:.2f}'} %"


def _points(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    """A difference, `+0.012` or `−0.012`."""
    return f"{value:+.{digits}f}".replace("-", "−")
