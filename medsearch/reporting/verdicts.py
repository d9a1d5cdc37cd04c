"""Does a measured value agree with the one a paper prints?

"agrees" is shown, not assumed: two one-sided tests reject that the two differ by the margin or more. "lower" and
"higher" are shown as well: a two-sided test finds a difference, and agreement is not shown. What shows neither is
"underpowered". A difference that is found, yet lies within the margin, agrees; its sign is said.

What is tested depends on what the paper's spread is over:

    over seeds    Welch's t from summaries: our means per seed against the paper's mean, SD and number of seeds
    over cases    Welch's t from summaries: our values per case against the paper's mean, SD and number of cases
                  (unpaired, as the paper's values per case are not known: wider than a paired test would be)
    none          one-sample t: our means per seed against the printed value, taken as exact

The two must be of one statistic: a Dice of pooled voxels has one value per seed and none per case, and is compared with
a pooled one alone.

Over seeds, a verdict knows how training varies and not how test cases do: which cases a paper tested on is seldom
known, and another draw of them could move either value. `HOW` says so under a table.

    measured = Measured(seeds=(0.84, 0.85, 0.83))             # one metric
    verdict(measured, reported, margin=0.03, context=Context(cohort="brats2020", selection="oracle", scale="paper"))
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from medsearch.core.errors import BadInput
from medsearch.core.reported import Reported, Statistic, Unit
from medsearch.reporting.metrics import DERIVED, metric_of
from medsearch.reporting.variance_components import ALPHA, CONFIDENCE, ROUNDING

Kind = Literal["agrees", "lower", "higher", "underpowered", "not comparable"]

LEAST_SEEDS = 2
HOW = (
    f"two one-sided tests at {ALPHA:g} within the margin: Welch's t from summaries over what the paper's spread is "
    "over, a one-sample t where it prints none; over seeds, the tests know how training varies, not what another draw "
    "of test cases would have given"
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One cell of ours: a row, a column, a metric."""

    seeds: tuple[float, ...] = ()
    """One value per finished seed: its mean over test cases, or what it has of all of them together."""
    cases: tuple[float, ...] = ()
    """One value per test case: its mean over the finished seeds that have one; of pooled voxels there is none."""
    missing: int = 0
    """Planned seeds without a value: failed, or not yet run."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """How the measured value came about, as far as it decides whether the two may be compared."""

    cohort: str
    """Layout of the data."""
    selection: str
    scale: str = "paper"
    phantom: bool = False
    skipped: int = 0
    """Cases left out because their files are faulty."""
    statistic: Statistic = ""
    """What a run's value is; empty where the paper's own is taken for it."""
    unit: Unit = ""
    """What is scored of a test case; empty where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a table says beside a reported value; differences are measured minus reported."""

    kind: Kind
    reason: str
    """One sentence, without a full stop."""
    margin: float
    difference: float | None = None
    """None where nothing was measured or the two are not comparable."""
    low: float | None = None
    """Of the 95 % confidence interval of the difference; None where no test was made."""
    high: float | None = None
    p_difference: float | None = None
    """Two-sided: that the two are equal."""
    p_equivalence: float | None = None
    """The larger of the two one-sided ones: that they differ by the margin or more."""
    notes: tuple[str, ...] = ()
    """What a reader should know and what does not decide: other numbers of seeds, missing seeds, an unknown rule."""


def verdict(measured: Measured, reported: Reported, *, context: Context, margin: float | None = None) -> Verdict:
    """The verdict on `measured`; `margin` is in the metric's unit, None: the metric's own (`metrics`).

    Raises:
        BadInput: The margin is not positive, or the metric has none by default.
    """
    from scipy.stats import t

    metric = metric_of(reported.metric)
    limit = metric.margin if margin is None else margin
    if limit is None or not 0 < limit < float("inf"):
        what = f"margin {margin}" if margin is not None else f"no default margin for metric {reported.metric!r}"
        msg = f"{what} ({reported.where}, {reported.row}): give a positive one in the metric's unit"
        raise BadInput(msg)
    notes = tuple(_notes(measured, reported))
    if obstacle := next(_obstacles(reported, context), None):
        return Verdict(kind="not comparable", reason=obstacle, margin=limit, notes=notes)
    if len(measured.seeds) < LEAST_SEEDS:
        number = "no seed has" if not measured.seeds else "one seed has"
        reason = f"{number} a value; {LEAST_SEEDS} are the least that show how much training varies"
        gap = fmean(measured.seeds) - reported.value if measured.seeds else None
        return Verdict(kind="underpowered", reason=reason, margin=limit, difference=gap, notes=notes)
    gap, error, freedom, design = _gap(measured, reported)
    side: Kind = "lower" if gap < 0 else "higher"
    pooled = "pooled " if reported.statistic == "pooled" and reported.metric not in DERIVED else ""
    at = f"the reported {pooled}{f'{reported.value:g}'.replace('-', '−')}{metric.behind}"
    if error < ROUNDING:  # nothing varies, here or in the paper
        reason = f"{gap:+.3g}{metric.behind_gap} from {at}; no value varies, so no test was made"
        kind = "agrees" if abs(gap) < limit else side
        return Verdict(kind=kind, reason=reason, margin=limit, difference=gap, notes=notes)
    law = t(freedom, loc=gap, scale=error)
    low, high = law.interval(CONFIDENCE)
    p_difference = float(min(1.0, 2 * min(law.cdf(0.0), law.sf(0.0))))
    p_equivalence = float(max(law.cdf(-limit), law.sf(limit)))
    differs, agrees = f"p = {p_difference:.3g}", f"p = {p_equivalence:.3g}"
    within = f"within ±{limit:g}{metric.behind_gap}"
    if p_equivalence < ALPHA:
        kind = "agrees"
        reason = f"{within} of {at} ({agrees}){f', though {side} ({differs})' if p_difference < ALPHA else ''}"
    elif p_difference < ALPHA:
        kind = side
        direction = "below" if side == "lower" else "above"
        reason = f"{abs(gap):.3g}{metric.behind_gap} {direction} {at} ({differs})"
    else:
        kind = "underpowered"
        reason = f"neither a difference from {at} ({differs}) nor agreement {within} ({agrees}) can be shown"
    return Verdict(
        kind=kind, reason=f"{reason}; {design}", margin=limit, difference=gap, low=float(low), high=float(high),
        p_difference=p_difference, p_equivalence=p_equivalence, notes=notes,
    )  # fmt: skip


def _gap(measured: Measured, reported: Reported) -> tuple[float, float, float, str]:
    """Measured mean minus published value, its standard error, its degrees of freedom, and the design, in words.

    Welch's with the degrees of freedom of Welch and Satterthwaite, where the paper prints a spread over a known number
    of what the values here are; else one-sample, against a number taken as exact.
    """
    over_cases = reported.spread_of == "cases" and len(measured.cases) > 1
    values, unit = (measured.cases, "cases") if over_cases else (measured.seeds, "seeds")
    spread, n, mine = reported.spread, reported.n, variance(values) / len(values)
    gap = fmean(values) - reported.value
    if spread is not None and n is not None and n > 1 and reported.spread_of == unit:
        theirs = spread**2 / n
        parts = mine**2 / (len(values) - 1) + theirs**2 / (n - 1)
        freedom = (mine + theirs) ** 2 / parts if parts else 1.0
        return gap, (mine + theirs) ** 0.5, freedom, f"Welch's t over {len(values)} {unit} here and {n} in the paper"
    lack = "no spread" if spread is None else f"no spread over a known number of {unit}"
    design = f"one-sample t over {len(values)} {unit}, the printed value taken as exact since the paper gives {lack}"
    return gap, mine**0.5, len(values) - 1, design


def _obstacles(reported: Reported, context: Context) -> Iterator[str]:
    """Why the two may not be compared, the weightiest first."""
    if context.phantom:
        yield "the subjects are synthetic"
    if reported.cohort and context.cohort != reported.cohort:
        yield f"another cohort: {context.cohort} here, {reported.cohort} in the paper"
    if reported.selection and context.selection != reported.selection:
        yield f"another selection rule: {context.selection} here, {reported.selection} in the paper"
    if reported.statistic and context.statistic and reported.statistic != context.statistic:
        yield f"another statistic: {context.statistic} here, {reported.statistic} in the paper"
    if reported.unit and context.unit and reported.unit != context.unit:
        yield f"scored on other ground: {context.unit} here, {reported.unit} in the paper"
    if context.scale != "paper":
        yield f"reduced scale: {context.scale}"
    if context.skipped:
        yield f"{context.skipped} case{'s were' if context.skipped > 1 else ' was'} skipped"


def _notes(measured: Measured, reported: Reported) -> Iterator[str]:
    seeds = len(measured.seeds)
    plural = "s" * (seeds != 1)
    if measured.missing:
        yield f"{measured.missing} of {seeds + measured.missing} planned seeds have no value"
    if reported.spread_of == "seeds" and reported.n is not None and reported.n != seeds:
        yield f"{seeds} seed{plural} here, {reported.n} in the paper"
    if not reported.selection:
        yield "the paper does not say by which rule it selected"
    if not reported.statistic and metric_of(reported.metric).by_case:
        yield "it is not known of what the paper's value is taken; it is compared with the mean over cases"
