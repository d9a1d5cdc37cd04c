"""The rows and columns of the tables of a search, as data.

Test metrics have columns where the test stages report them. A segmentation study has Dice's columns, also before
anything was tested. Another one has what its tests report, first the counterpart of what it searched by (SSIM on test
cases, where it searched by SSIM on validation cases).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, final

from medsearch.reporting import comparison
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import METRICS, full_heading, full_words, metric_of, short
from medsearch.reporting.results import Finalist, Replicate, SearchResults, Trial
from medsearch.reporting.statistics import Scores, Summary, known
from medsearch.reporting.variance_components import Interval
from medsearch.reporting.wording import NOTHING, KnobName, knob_names, percent_interval, score

DICE = "test/dice"
SEGMENTATION = {DICE: "Test Dice", "test/dice_volume": "Whole volume", "test/assd": "ASSD (mm)"}
"""What a segmentation study's table shows, in any case."""
RUNS = {DICE: "Test Dice", "test/dice_volume": "whole volume", "test/dice_micro": "pooled voxels"}
COUNTERPARTS = {"hours": "training_hours"}
"""Where a test stage names a metric otherwise than a training stage does."""
NARROW = {"test/dice_volume": "Whole"}


@final
@dataclass(frozen=True)
class MetricColumn:
    """A metric that a table of a search shows: on test cases, or an objective with its direction."""

    metric: str
    heading: str
    direction: str = ""

    @property
    def name(self) -> str:
        """As cases and files name it: `dice`."""
        return short(self.metric)

    @property
    def narrow(self) -> str:
        """The heading in an article, whose columns have little room."""
        return NARROW.get(self.metric, self.heading)

    @property
    def words(self) -> str:
        """The metric within a sentence: `test Dice`."""
        return full_words(self.metric)

    @property
    def digits(self) -> int:
        """How many digits its values have after the point."""
        return metric_of(self.metric).digits

    @property
    def better(self) -> str:
        """Of an objective, which way, as a word."""
        return "more" if self.direction == "maximize" else "less"


def tested(results: SearchResults) -> tuple[MetricColumn, ...]:
    """The columns of the summary, the one that leads first."""
    shown, leading = {metric: metric_of(metric).heading for metric in reported(results)}, leading_metric(results)
    if leading != DICE:
        headings = {leading: full_heading(leading), **{m: heading for m, heading in shown.items() if m != leading}}
    else:
        headings = {**SEGMENTATION, **{m: h for m, h in shown.items() if not m.startswith((DICE, "test/assd"))}}
    return tuple(MetricColumn(metric, heading) for metric, heading in headings.items())


def of_runs(results: SearchResults) -> tuple[MetricColumn, ...]:
    """The columns of the list of runs: a segmentation study's has pooled voxels, too."""
    if leading_metric(results) != DICE:
        return tested(results)
    headings = {**RUNS, **{column.metric: column.heading for column in tested(results) if column.metric not in RUNS}}
    return tuple(MetricColumn(metric, heading) for metric, heading in headings.items())


def leading_metric(results: SearchResults) -> str:
    """The test metric that the answer speaks of."""
    metrics, design = reported(results), results.design
    if DICE in metrics:
        return DICE
    name = short(design.objective)
    counterpart = f"test/{COUNTERPARTS.get(name, name)}"
    if metrics:
        return counterpart if counterpart in metrics else metrics[0]
    return counterpart if results.provenance.truth == "pairs" or design.selection == "none" else DICE


def shares(results: SearchResults) -> bool:
    """Whether the table has a column of shares of the target-supervised model."""
    return leading_metric(results) == DICE


def reported(results: SearchResults) -> tuple[str, ...]:
    """Every test metric that a run reports: known ones in the order of `metrics`, then others by name."""
    order = {name: place for place, name in enumerate(METRICS)}
    metrics = {metric for run in results.replicates for metric in run.metrics}
    return tuple(sorted(metrics, key=lambda metric: (order.get(short(metric), len(order)), metric)))


def forms(results: SearchResults) -> tuple[str, ...]:
    """By which conventions the tests computed what they report, as they say themselves."""
    return tuple(dict.fromkeys(form for run in results.replicates for form in run.forms.values()))


def given(results: SearchResults) -> Mapping[str, float]:
    """What the given images score unchanged, by the first run that knows."""
    return next((run.given for run in results.replicates if run.given), {})


@dataclass(frozen=True, kw_only=True)
class TestedRow:
    """One row of the summary: a finalist or a reference, over its seeds."""

    label: str
    kind: Literal["best", "finalist", "reference"]
    replicates: tuple[Replicate, ...]
    planned: int  # seeds
    supervised: tuple[Replicate, ...]  # the target-supervised row's
    trial: int | None = None
    leading: str = DICE  # the test metric that the answer speaks of

    @property
    def title(self) -> str:
        """The label, of a finalist with its trial: `Best (measured), trial 7`."""
        return self.label if self.trial is None else f"{self.label}, trial {self.trial}"

    def scores(self, metric: str) -> Scores:
        """The row in a test metric, or in "value", which the search ranks by."""
        return Scores(metric=metric, replicates=self.replicates, planned=self.planned)

    def test(self, metric: str) -> Summary:
        """`scores` over seeds, of a test metric each the mean over cases."""
        return self.scores(metric).seeds

    @cached_property
    def share(self) -> Interval | None:
        """Test Dice as a share of the target-supervised model's, which has no error against itself."""
        supervised = Scores(metric=DICE, replicates=self.supervised, planned=self.planned)
        share = comparison.share(self.scores(DICE).by_seed, supervised.by_seed)
        return Interval(1.0) if share and self.replicates is self.supervised else share

    @property
    def validation(self) -> Summary:
        """The selection value over seeds; empty for references, whose validation may see other labels."""
        return Summary() if self.kind == "reference" else self.by_objective

    @property
    def by_objective(self) -> Summary:
        """The value that the search ranks by, over seeds, of any row."""
        return self.test("value")

    @property
    def tested(self) -> Summary:
        """The test metric that leads, over seeds."""
        return self.test(self.leading)

    def objective(self, place: int) -> Summary:
        """The value of an objective of several, over seeds."""
        done = [run for run in self.replicates if run.state == "complete" and len(run.values) > place]
        missing = self.tested
        return Summary(tuple(run.values[place] for run in done), failed=missing.failed, waiting=missing.waiting)

    @property
    def dice(self) -> Summary:
        """Test Dice over each case's diseased hemispheres, the mean over cases, over seeds."""
        return self.test(DICE)

    @property
    def over_cases(self) -> Summary:
        """The test metric that leads, over cases, each the mean over seeds."""
        return self.scores(self.leading).cases


def summary(results: SearchResults) -> tuple[TestedRow, ...]:
    """The best finalist, the other finalists, then the references in the study's order."""
    design, supervised = results.design, results.reference(results.design.supervised)
    common: dict[str, Any] = {
        "planned": len(design.seeds),
        "supervised": supervised.replicates if supervised else (),
        "leading": leading_metric(results),
    }
    # of a front, the first finalist is the best in one objective only
    best = f"Best {design.value_words} (measured)" if design.several else "Best (measured)"
    finalists = (
        TestedRow(
            label=f"Finalist {place + 1}" if place else best,
            kind="finalist" if place else "best",
            replicates=finalist.replicates,
            trial=finalist.number,
            **common,
        )
        for place, finalist in enumerate(ranking(results))
    )
    references = (
        TestedRow(label=row.label, kind="reference", replicates=row.replicates, **common) for row in results.references
    )
    return (*finalists, *references)


def best_row(results: SearchResults) -> TestedRow | None:
    """The row of the best finalist, the first of the summary; None while there are no finalists."""
    return next((row for row in summary(results) if row.kind == "best"), None)


def ranking(results: SearchResults) -> tuple[Finalist, ...]:
    """Finalists, best first: those that failed on no seed, by their mean selection value over seeds, never by test."""
    sign, planned = results.design.sign, len(results.design.seeds)

    def merit(finalist: Finalist) -> tuple[int, float, int]:
        over = Scores(metric="value", replicates=finalist.replicates, planned=planned).seeds
        trial = results.trial(finalist.number)
        alone = sign * trial.value if trial and trial.value is not None else float("-inf")
        return -over.failed, alone if over.mean is None else sign * over.mean, -finalist.number

    return tuple(sorted(results.finalists, key=merit, reverse=True))


def best_trial(results: SearchResults) -> Trial | None:
    """The finished trial with the best value; the earlier one of equals."""
    sign = results.design.sign
    finished = [trial for trial in results.in_state("complete") if trial.value is not None]
    return max(finished, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=None)


def best_knobs(results: SearchResults) -> dict[str, Any]:
    """Searched and fixed knobs of the best finalist, or of the best trial while there are no finalists."""
    best = next(iter(ranking(results)), None) or best_trial(results)
    return {**results.design.fixed, **(best.knobs if best else {})}


def gain(results: SearchResults) -> Comparison | None:
    """The best finalist against no adaptation in the test metric that leads; None while nothing can be compared."""
    best, plain_label = best_row(results), results.design.no_adaptation
    plain = next((row for row in summary(results) if row.kind == "reference" and row.label == plain_label), None)
    if best is None or plain is None:
        return None
    compared = comparison.compare(*(row.scores(best.leading).by_seed for row in (best, plain)))
    return compared if compared.effect else None


@dataclass(frozen=True)
class KnobRow:
    """A knob of the best configuration beside the published one; shares only for loss weights."""

    knob: KnobName
    found: Any
    published: Any
    where: str = ""
    found_share: float | None = None  # of the sum of the weights
    published_share: float | None = None
    searched: bool = True


def weights(results: SearchResults) -> tuple[KnobRow, ...]:
    """The loss weights of the best configuration beside the published ones, both also as shares of their sum."""
    paths = results.design.weights
    published = {path: entry.value for path, entry in results.design.published.items()}
    return _knob_rows(results, paths, _shares(paths, best_knobs(results)), _shares(paths, published))


def other_knobs(results: SearchResults) -> tuple[KnobRow, ...]:
    """The other searched knobs of the best configuration beside the published ones."""
    return _knob_rows(results, [path for path in results.design.space if path not in results.design.weights], {}, {})


def _knob_rows(
    results: SearchResults, paths: Sequence[str], ours: Mapping[str, float], theirs: Mapping[str, float]
) -> tuple[KnobRow, ...]:
    names, best, design = names_of(results), best_knobs(results), results.design
    rows = []
    for path in paths:
        entry = design.published.get(path)
        published, where = (entry.value, entry.where) if entry else (None, "")
        searched = path not in design.fixed
        rows.append(KnobRow(names[path], best.get(path), published, where, ours.get(path), theirs.get(path), searched))
    return tuple(rows)


def _shares(paths: Sequence[str], values: Mapping[str, Any]) -> dict[str, float]:
    """Each weight over the sum of all; empty unless all are known, because only ratios act."""
    weighed = {path: float(values[path]) for path in paths if known(values.get(path))}
    total = sum(weighed.values())
    return {path: value / total for path, value in weighed.items()} if total and len(weighed) == len(paths) else {}


def names_of(results: SearchResults) -> dict[str, KnobName]:
    """The short name of every knob that the results mention."""
    design = results.design
    used = (path for trial in results.trials for path in trial.knobs)
    return knob_names([*design.weights, *design.space, *design.fixed, *design.published, *results.importances, *used])


def spread(summary: Summary, digits: int = 3) -> str:
    """A cell: `0.612 ± 0.013`; without values it says why."""
    if summary.mean is None:
        return "failed" if summary.failed and not summary.waiting else "not yet" if summary.waiting else NOTHING
    return score(summary.mean, digits) + ("" if summary.sd is None else f" ± {score(summary.sd, digits)}")


def runs(summary: Summary) -> str:
    """How many runs a cell rests on: `n=2`, `n=1 of 2, 1 failed`, `n=0 of 3 so far, 1 failed`."""
    return counted_runs(summary) + (f", {summary.failed} failed" if summary.failed else "")


def counted_runs(summary: Summary) -> str:
    """`runs` without the failures: `n=1 of 2`."""
    planned = summary.n + summary.failed + summary.waiting
    text = f"n={summary.n}" if summary.n == planned else f"n={summary.n} of {planned}"
    return text + (" so far" if summary.waiting > 0 else "")


def share_cell(interval: Interval | None) -> str:
    """A share with its interval: `91% [84, 97]`."""
    return NOTHING if interval is None else percent_interval(interval)
