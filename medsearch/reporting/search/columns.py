"""Which test metrics a search's table shows: those that its test stages report.

A segmentation study has Dice's columns, also before anything was tested. Another one has what its tests report, first
the counterpart of what it searched by (SSIM on test cases, where it searched by SSIM on validation cases).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from medsearch.reporting.evidence import Replicate
from medsearch.reporting.metrics import METRICS, full_heading, full_words, metric_of, short
from medsearch.reporting.search.results import SearchResults

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
