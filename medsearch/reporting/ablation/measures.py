"""What every cell of the table says in every metric: mean and spreads, the reported value, the verdict, the comparison.

A reported value stands beside the metric that is its statistic: a pooled Dice beside the pooled one, a mean over cases
beside that, and so do the shares and changes that are made of them.

A cell (`Measure`) knows its values and what is missing. Everything is worked out once and kept (`Measures`): a table, a
figure and a page ask for the same cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, final

import numpy as np

from medsearch.core.reported import Reported, Unit, find
from medsearch.reporting import comparison as comparing
from medsearch.reporting.comparison import BySeed, Change, Comparison, change
from medsearch.reporting.metrics import Metric, metric_of, pooled
from medsearch.reporting.power import forecast
from medsearch.reporting.results import AblationResults, ColumnResults, Replicate
from medsearch.reporting.statistics import Summary, by_seed, known, over_cases
from medsearch.reporting.variance_components import Interval
from medsearch.reporting.verdicts import Context, Measured, Verdict, verdict
from medsearch.study.record.headers import Row

Key = tuple[str, str, str]
"""The labels of row and column, and the metric."""

WHOLE = "all cases"
"""The subject of a value that a run has alone."""

Loss = Literal["failed", "undefined", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A planned seed without a value, and why."""

    seed: int
    kind: Loss
    word: str  # "diverged", "out of memory", "failed", "undefined", "waiting"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A cell that is asked for, in one metric ("test/dice")."""

    row: Row
    column: ColumnResults
    metric: str
    replicates: tuple[Replicate, ...]

    @property
    def key(self) -> Key:
        """The labels of row and column, and the metric."""
        return self.row.label, self.column.label, self.metric

    @property
    def name(self) -> str:
        """The metric as cases and papers name it."""
        return self.known.name

    @property
    def known(self) -> Metric:
        """What is known of the metric."""
        return metric_of(self.metric)

    @cached_property
    def values(self) -> dict[int, float]:
        """Seed -> value, of the seeds that have one."""
        done = (run for run in self.replicates if run.state == "complete")
        found = ((run.seed, run.metrics.get(self.metric)) for run in done)
        return {seed: float(value) for seed, value in found if value is not None and known(value)}

    @cached_property
    def seeds(self) -> Summary:
        """Over the seeds that have a value."""
        failed = sum(run.state == "failed" for run in self.replicates)
        waiting = sum(lost.kind == "waiting" for lost in self.lost)
        return Summary(tuple(self.values.values()), failed=failed, waiting=waiting)

    @cached_property
    def cases(self) -> Summary:
        """Over test cases, each the mean over the seeds that have it."""
        return over_cases(self.replicates, self.name)

    @property
    def planned(self) -> int:
        """How many seeds there should be."""
        return len(self.replicates)

    @property
    def whole(self) -> bool:
        """Whether every planned seed has a value: only then is its mean the row's."""
        return len(self.values) == self.planned

    @property
    def unit(self) -> Unit:
        """What its test stages scored of a test case; empty where they do not say."""
        return next((run.unit for run in self.replicates if run.unit), "")

    @cached_property
    def lost(self) -> tuple[Lost, ...]:
        """The planned seeds without a value."""
        return tuple(_lost(run) for run in self.replicates if run.seed not in self.values)

    @cached_property
    def by_seed(self) -> BySeed:
        """Values of cases, seed by seed, of the seeds that finished; what a run has alone is as one case's."""
        if not self.known.by_case:
            return {seed: {WHOLE: value} for seed, value in self.values.items()}
        return by_seed(self.replicates, self.name)


def _lost(run: Replicate) -> Lost:
    if run.state == "complete":
        return Lost(seed=run.seed, kind="undefined", word="undefined")
    if run.state == "failed":
        named = run.cause in ("diverged", "out of memory", "infeasible")
        word = str(run.cause) if named else "failed"
        return Lost(seed=run.seed, kind="failed", word=word, reason=run.reason or "no reason recorded")
    return Lost(seed=run.seed, kind="waiting", word="waiting")


CHANGE = "change"
"""The metric of reported values that are relative changes."""


@final
@dataclass(frozen=True, kw_only=True)
class RelativeChange:
    """What `of` changes against `other`, the cell of the row that it is compared with."""

    of: Measure
    other: Measure
    reported: Reported | None = None

    @property
    def key(self) -> Key:
        """The cell's, in a metric of its own."""
        row, column, metric = self.of.key
        return row, column, f"{metric}_{CHANGE}"

    @cached_property
    def found(self) -> Change | None:
        """None while no seed has a value in both cells."""
        return change(self.of.by_seed, self.other.by_seed)

    @property
    def seeds(self) -> Summary:
        """Over the seeds that have a change."""
        return Summary(tuple(self.found.by_seed.values()) if self.found else ())

    @property
    def whole(self) -> bool:
        """Whether neither cell lacks a seed: only then is the change the row's."""
        return self.of.whole and self.other.whole and self.seeds.n == self.of.planned

    @property
    def waiting(self) -> bool:
        """Whether there is none yet, and may still be one."""
        return self.found is None and bool(self.of.seeds.waiting or self.other.seeds.waiting)

    @property
    def measured(self) -> Measured:
        """For a verdict, which has one value per seed and none per case: a change is one of means."""
        return Measured(seeds=self.seeds.values, missing=self.of.planned - self.seeds.n)


Block = tuple[ColumnResults, str]
"""A column of the table in a metric."""


@dataclass(frozen=True, kw_only=True)
class MeanShare:
    """The mean over columns of a row's share of the target-supervised model, beside the one that the paper prints."""

    reported: Reported
    mean: float
    columns: int  # whose cells, and the target-supervised ones, have all their seeds
    asked: int


@final
class Measures:
    """Every cell of `results` in every metric, with what is made of it. Keys are (row, column, metric)."""

    def __init__(self, results: AblationResults) -> None:
        self.results = results
        self.all: dict[Key, Measure] = {
            (row.label, column.label, metric): Measure(
                row=row,
                column=column,
                metric=metric,
                replicates=results.cell(row.label, column.label).replicates,
            )
            for column, metric in self.blocks
            for row in results.rows_of(column.label)
        }
        self._reported: dict[tuple[str, ...], Reported | None] = {}
        self._shares: dict[Key, Interval | None] = {}

    def __iter__(self) -> Iterator[Measure]:
        """Column by column, metric by metric, row by row."""
        return iter(self.all.values())

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The columns of the table: each task in each metric."""
        columns = self.results.columns
        return tuple((column, metric) for column in columns for metric in self.results.metrics_of(column.label))

    def get(self, row: str, column: str, metric: str) -> Measure | None:
        """The measure; None where the row is not asked of the column."""
        return self.all.get((row, column, metric))

    def of_block(self, block: Block) -> tuple[Measure, ...]:
        """The cells of a column in a metric, row by row."""
        column, metric = block
        found = (self.get(row.label, column.label, metric) for row in self.results.rows_of(column.label))
        return tuple(of for of in found if of)

    def reported_share(self, of: Measure) -> Reported | None:
        """The share of the target-supervised model that the paper prints for the cell.

        Where the table has one variant, the paper's row of shares may have a name of its own ("% of TSMP").
        """
        if not of.known.ratio:
            return None
        found = self.reported(of, "share")
        if found is None and [row for row in self.results.rows if row.kind == "variant"] == [of.row]:
            shares = [value for value in self._printed(of) if value.metric == "share"]
            named = [value for value in shares if value.column == of.column.label]
            found = named[0] if len(named) == 1 else None
        return found

    @cached_property
    def mean_shares(self) -> tuple[MeanShare, ...]:
        """Of every row of which the paper prints a mean share over columns."""
        labels = {column.label for column in self.results.columns}
        wanted = [v for v in self.results.design.reported if v.metric == "share" and v.column not in labels]
        found = []
        for reported in wanted:
            rows = (of for of in self if of.row.label == reported.row and of.known.ratio)
            cells = [of for of in rows if reported in self._printed(of)]
            shares = [share.estimate for of in cells if (share := self.share(of)) and self.shares_whole(of)]
            if reported.column.startswith("mean") and shares:
                mean = float(np.mean(shares))
                found.append(MeanShare(reported=reported, mean=mean, columns=len(shares), asked=len(cells)))
        return tuple(found)

    def reported(self, of: Measure, metric: str = "") -> Reported | None:
        """What the paper prints for the cell; `metric`: in another one ("share", "change")."""
        key = (*of.key, metric)
        if key not in self._reported:
            name = metric or of.known.pools or of.name
            of_row = {"row": of.row.label, "column": of.column.label}
            self._reported[key] = find(self._printed(of), **of_row, metric=name)
        return self._reported[key]

    def _printed(self, of: Measure) -> tuple[Reported, ...]:
        """What the paper prints in the statistic of a cell; in one that no stage measures, with the cell's metric."""
        here, alone = of.known.statistic == "pooled", not pooled(of.metric) and not of.known.pools
        return tuple(value for value in self.results.design.reported if alone or (value.statistic == "pooled") == here)

    def beside(self, of: Measure) -> tuple[Reported, ...]:
        """All that the paper prints for the cell: the metric itself, its share, its relative change."""
        change = self.changes.get(of.key)
        found = (self.reported(of), self.reported_share(of), change.reported if change else None)
        return tuple(value for value in found if value is not None)

    @cached_property
    def unplaced(self) -> tuple[Reported, ...]:
        """Reported values that stand beside no cell."""
        found = (value for of in self for value in self.beside(of))
        placed = {id(value) for value in (*found, *(mean.reported for mean in self.mean_shares))}
        return tuple(value for value in self.results.design.reported if id(value) not in placed)

    @cached_property
    def verdicts(self) -> dict[Key, Verdict]:
        """What is to be said of every reported value; nothing while its cell still waits for its first seed.

        Those on relative changes stand under keys of their own.
        """
        found = {}
        for key, of in self.all.items():
            reported = self.reported(of)
            if reported is not None and (of.values or not of.seeds.waiting) and self._has_margin(of):
                found[key] = self._verdict(of, reported)
        for one in self.changes.values():
            if one.reported is not None and not one.waiting:
                found[one.key] = self._changed(one, one.reported)
        return found

    @cached_property
    def changes(self) -> dict[Key, RelativeChange]:
        """Of every row that is compared with another, if the paper's table has relative changes; by the cell's key."""
        if not any(value.metric == CHANGE for value in self.results.design.reported):
            return {}
        pairs = ((of, self.get(of.row.against, of.column.label, of.metric)) for of in self if of.known.ratio)
        return {
            of.key: RelativeChange(of=of, other=other, reported=self.reported(of, CHANGE))
            for of, other in pairs
            if other
        }

    @cached_property
    def comparisons(self) -> dict[Key, Comparison]:
        """Every row that is compared with another; p-values after Holm over the rows of a column."""
        found: dict[Key, Comparison] = {}
        for column, metric in (block for block in self.blocks if metric_of(block[1]).by_case):
            rows = [row for row in self.results.rows_of(column.label) if row.against]
            pairs = [(self.all[row.label, column.label, metric], row.against) for row in rows]
            asked = [(of, other) for of, against in pairs if (other := self.get(against, column.label, metric))]
            compared = comparing.holm([comparing.compare(of.by_seed, other.by_seed) for of, other in asked])
            found |= {of.key: one for (of, _), one in zip(asked, compared, strict=True)}
        return found

    @cached_property
    def line_comparisons(self) -> dict[tuple[str, str, str, str], Comparison]:
        """Of lines whose rows are compared with those of another one: the mean over their points against its mean.

        Keys are (line, other line, column, metric); of pairs of lines that have two points or more. Each is taken by
        itself, without Holm.
        """
        pairs: dict[tuple[str, str, str, str], list[tuple[Measure, Measure]]] = {}
        for row, column, metric in self.comparisons:
            of = self.all[row, column, metric]
            other = self.all[of.row.against, column, metric]
            if of.row.line and other.row.line and of.row.line != other.row.line:
                pairs.setdefault((of.row.line, other.row.line, column, metric), []).append((of, other))
        return {
            key: comparing.compare(
                *(comparing.averaged([one.by_seed for one in side]) for side in zip(*of, strict=True))
            )
            for key, of in pairs.items()
            if len(of) > 1
        }

    def forecast(self, metric: str) -> str:
        """Which difference the seeds show, and how many would show the margin; empty where nobody knows."""
        found = [one for key, one in self.comparisons.items() if key[2] == metric]
        margin = self.results.design.margin if metric == self.results.design.metrics[0] else None
        return forecast(found, metric_of(metric), margin)

    def share(self, of: Measure) -> Interval | None:
        """As a share of the target-supervised model's value in that column, which has no error against itself."""
        if of.key not in self._shares:
            self._shares[of.key] = self._share(of)
        return self._shares[of.key]

    @property
    def shares(self) -> bool:
        """Whether a share of the target-supervised model can be said of any cell."""
        return bool(self.results.design.supervised) and any(of.known.ratio for of in self)

    def shares_whole(self, of: Measure) -> bool:
        """Whether neither the cell nor the target-supervised one lacks a seed: only then is its share the row's."""
        supervised = self._supervised(of)
        return of.whole and supervised is not None and supervised.whole

    def _supervised(self, of: Measure) -> Measure | None:
        return self.get(self.results.design.supervised, of.column.label, of.metric)

    def _share(self, of: Measure) -> Interval | None:
        supervised = self._supervised(of)
        if not of.known.ratio or supervised is None or not supervised.values or not of.values:
            return None
        return Interval(1.0) if of.row is supervised.row else comparing.share(of.by_seed, supervised.by_seed)

    def _has_margin(self, of: Measure) -> bool:
        return of.known.margin is not None or self._margin(of) is not None

    def _margin(self, of: Measure) -> float | None:
        """The study's, which is of its first metric, pooled or not."""
        first = self.results.design.metrics[0]
        return self.results.design.margin if of.metric in (first, pooled(first)) else None

    def _verdict(self, of: Measure, reported: Reported) -> Verdict:
        context, margin = self._context(of), self._margin(of)
        found = verdict(_measured(of), reported, context=context, margin=margin)
        other = self._unpooled(of)
        if other is None:
            return found
        return _assumed(found, reported, verdict(_measured(other), reported, context=context, margin=margin))

    def _changed(self, change: RelativeChange, reported: Reported) -> Verdict:
        context, other = self._context(change.of), self.changes.get(self._unpooled_key(change.of))
        found = verdict(change.measured, reported, context=context)
        return found if other is None else _assumed(found, reported, verdict(other.measured, reported, context=context))

    def _unpooled_key(self, of: Measure) -> Key:
        """The same cell's key in the metric that `of` pools; nothing's, if it pools none."""
        row, column, metric = of.key
        return row, column, f"{metric.rpartition('/')[0]}/{of.known.pools}" if of.known.pools else ""

    def _unpooled(self, of: Measure) -> Measure | None:
        return self.all.get(self._unpooled_key(of))

    def _context(self, of: Measure) -> Context:
        column = of.column
        other = self._unpooled(of)
        lacking = other is not None and bool(other.values) and not of.values
        return Context(
            cohort=column.layout,
            selection=column.selection,
            scale=self.results.design.scale,
            phantom=column.provenance.phantom,
            skipped=len(column.provenance.skipped),
            statistic=other.known.statistic if other and lacking else of.known.statistic,
            unit=of.unit,
        )


def _measured(of: Measure) -> Measured:
    return Measured(seeds=of.seeds.values, cases=of.cases.values, missing=of.planned - len(of.values))


def _assumed(found: Verdict, reported: Reported, other: Verdict) -> Verdict:
    """The verdict, with a note where the paper leaves its statistic open and the other one would give another."""
    if not reported.assumed or found.kind in (other.kind, "not comparable"):
        return found
    note = f"that the paper's value is pooled is assumed; the mean over cases would be “{other.kind}”"
    return replace(found, notes=(*found.notes, note))
