"""The rows and columns of the tables of a search, as data.

Test metrics have columns where the test stages report them. A segmentation study has Dice's columns, also before
anything was tested. Another one has what its tests report, first the counterpart of what it searched by (SSIM on test
cases, where it searched by SSIM on validation cases).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, final

from medsearch.reporting import comparison, statistics
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import METRICS, full_heading, full_words, metric_of, short
from medsearch.reporting.results import Finalist, ReferenceResults, Replicate, SearchResults, Trial
from medsearch.reporting.statistics import Summary, known
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
class Tested:
    """A column: a test metric, how it is headed on a page, and in an article's narrow column."""

    metric: str
    heading: str

    @property
    def name(self) -> str:
        """As cases and files name it."""
        return short(self.metric)

    @property
    def narrow(self) -> str:
        """The heading where there is little room."""
        return NARROW.get(self.metric, self.heading)

    @property
    def words(self) -> str:
        """Within a sentence: `test Dice`."""
        return full_words(self.metric)

    @property
    def digits(self) -> int:
        """After the point."""
        return metric_of(self.metric).digits


def tested(results: SearchResults) -> tuple[Tested, ...]:
    """The columns of the summary, the one that leads first."""
    found, leading = reported(results), leading_metric(results)
    if leading == DICE:
        more = [metric for metric in found if not metric.startswith("test/dice") and not metric.startswith("test/assd")]
        shown = {**SEGMENTATION, **{metric: metric_of(metric).heading for metric in more}}
        return tuple(Tested(metric, heading) for metric, heading in shown.items())
    others = (Tested(metric, metric_of(metric).heading) for metric in found if metric != leading)
    return (Tested(leading, full_heading(leading)), *others)


def of_runs(results: SearchResults) -> tuple[Tested, ...]:
    """The columns of the list of runs: a segmentation study's has pooled voxels, too."""
    shown = tested(results)
    if leading_metric(results) != DICE:
        return shown
    found = {**RUNS, **{column.metric: column.heading for column in shown if column.metric not in RUNS}}
    return tuple(Tested(metric, heading) for metric, heading in found.items())


def leading_metric(results: SearchResults) -> str:
    """The test metric that the answer speaks of."""
    found, design = reported(results), results.design
    if DICE in found:
        return DICE
    name = short(design.objective)
    counterpart = f"test/{COUNTERPARTS.get(name, name)}"
    if found:
        return counterpart if counterpart in found else found[0]
    return counterpart if results.provenance.truth == "pairs" or design.selection == "none" else DICE


def shares(results: SearchResults) -> bool:
    """Whether the table has a column of shares of the target-supervised model."""
    return leading_metric(results) == DICE


def reported(results: SearchResults) -> tuple[str, ...]:
    """Every test metric that a run reports: known ones in the order of `metrics`, then others by name."""
    found = {metric for run in _runs(results) for metric in run.metrics}
    order = list(METRICS)
    known = sorted((metric for metric in found if short(metric) in METRICS), key=lambda one: order.index(short(one)))
    return (*known, *sorted(metric for metric in found if short(metric) not in METRICS))


def forms(results: SearchResults) -> tuple[str, ...]:
    """By which conventions the tests computed what they report, as they say themselves."""
    return tuple(dict.fromkeys(form for run in _runs(results) for form in run.forms.values()))


def given(results: SearchResults) -> Mapping[str, float]:
    """What the given images score unchanged, by the first run that knows."""
    return next((run.given for run in _runs(results) if run.given), {})


def _runs(results: SearchResults) -> Iterator[Replicate]:
    for finalist in results.finalists:
        yield from finalist.replicates
    for reference in results.references:
        yield from reference.replicates


Kind = Literal["best", "finalist", "reference"]


@dataclass(frozen=True, kw_only=True)
class TestedRow:
    """One row of the summary: a finalist or a reference, over its seeds."""

    label: str
    kind: Kind
    replicates: tuple[Replicate, ...]
    planned: int  # seeds
    supervised: tuple[Replicate, ...]  # the target-supervised row's
    trial: int | None = None
    leading: str = DICE  # the test metric that the answer speaks of

    @property
    def title(self) -> str:
        """The label with the trial's number."""
        return self.label if self.trial is None else f"{self.label}, trial {self.trial}"

    @cached_property
    def share(self) -> Interval | None:
        """Test Dice as a share of the target-supervised model's, which has no error against itself."""
        found = comparison.share(*(statistics.by_seed(of, "dice") for of in (self.replicates, self.supervised)))
        return Interval(1.0) if found and self.replicates is self.supervised else found

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

    def test(self, metric: str) -> Summary:
        """A test metric, the mean over cases, over seeds; "value": what the search ranks by."""
        return statistics.over_seeds(self.replicates, metric, planned=self.planned)

    def objective(self, place: int) -> Summary:
        """The value of an objective of several, over seeds."""
        done = [run for run in self.replicates if run.state == "complete" and len(run.values) > place]
        missing = self.tested
        return Summary(tuple(run.values[place] for run in done), failed=missing.failed, waiting=missing.waiting)

    @property
    def dice(self) -> Summary:
        """Test Dice over each case's diseased hemispheres, the mean over cases, over seeds."""
        return self.test("test/dice")

    @property
    def over_cases(self) -> Summary:
        """The test metric that leads, over cases, each the mean over seeds."""
        return statistics.over_cases(self.replicates, short(self.leading))


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


def ranking(results: SearchResults) -> tuple[Finalist, ...]:
    """Finalists, best first: those that failed on no seed, by their mean selection value over seeds, never by test."""
    sign = results.design.sign

    def merit(finalist: Finalist) -> tuple[int, float, int]:
        runs = statistics.over_seeds(finalist.replicates, "value")
        trial = results.trial(finalist.number)
        alone = sign * trial.value if trial and trial.value is not None else float("-inf")
        return -runs.failed, alone if runs.mean is None else sign * runs.mean, -finalist.number

    return tuple(sorted(results.finalists, key=merit, reverse=True))


def best_trial(results: SearchResults) -> Trial | None:
    """The finished trial with the best value; the earlier one of equals."""
    sign = results.design.sign
    finished = [trial for trial in results.in_state("complete") if trial.value is not None]
    return max(finished, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=None)


def best_knobs(results: SearchResults) -> dict[str, Any]:
    """Searched and fixed knobs of the best finalist, or of the best trial while there are no finalists."""
    ranked, trial = ranking(results), best_trial(results)
    searched: Mapping[str, Any] = ranked[0].knobs if ranked else trial.knobs if trial else {}
    return {**results.design.fixed, **searched}


def summary(results: SearchResults) -> tuple[TestedRow, ...]:
    """The best finalist, the other finalists, then the references in the study's order."""
    rows = []
    for place, finalist in enumerate(ranking(results)):
        label, kind = (f"Finalist {place + 1}", "finalist") if place else (best_label(results), "best")
        rows.append(_row(results, finalist, label=label, kind=kind))
    return (*rows, *(_row(results, reference, label=reference.label) for reference in results.references))


def gain(results: SearchResults) -> Comparison | None:
    """The best finalist against no adaptation in the test metric that leads; None while nothing can be compared."""
    best = next((row for row in summary(results) if row.kind == "best"), None)
    reference = results.reference(results.design.no_adaptation)
    if best is None or reference is None:
        return None
    found = comparison.compare(*(statistics.by_seed(of.replicates, short(best.leading)) for of in (best, reference)))
    return found if found.effect else None


def best_label(results: SearchResults) -> str:
    """What the first finalist is called: of a front, it is the best in one objective only."""
    return f"Best {results.design.value_words} (measured)" if results.design.several else "Best (measured)"


def _row(results: SearchResults, of: Finalist | ReferenceResults, *, label: str, kind: str = "reference") -> TestedRow:
    supervised = results.reference(results.design.supervised)
    return TestedRow(
        label=label,
        kind=cast(Kind, kind),
        replicates=of.replicates,
        planned=len(results.design.seeds),
        supervised=supervised.replicates if supervised else (),
        trial=of.number if isinstance(of, Finalist) else None,
        leading=leading_metric(results),
    )


def weights(results: SearchResults) -> tuple[KnobRow, ...]:
    """The loss weights of the best configuration beside the published ones, both also as shares of their sum."""
    paths, found = results.design.weights, best_knobs(results)
    published = {path: entry.value for path, entry in results.design.published.items()}
    return _knob_rows(results, paths, (_shares(paths, found), _shares(paths, published)))


def other_knobs(results: SearchResults) -> tuple[KnobRow, ...]:
    """The other searched knobs of the best configuration beside the published ones."""
    paths = tuple(path for path in results.design.space if path not in results.design.weights)
    return _knob_rows(results, paths, ({}, {}))


def _knob_rows(
    results: SearchResults, paths: Sequence[str], shares: tuple[dict[str, float], dict[str, float]]
) -> tuple[KnobRow, ...]:
    names, found, design = names_of(results), best_knobs(results), results.design
    rows = []
    for path in paths:
        entry = design.published.get(path)
        values = (found.get(path), entry.value if entry else None, entry.where if entry else "")
        rows.append(
            KnobRow(names[path], *values, shares[0].get(path), shares[1].get(path), searched=path not in design.fixed)
        )
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
