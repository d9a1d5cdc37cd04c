"""What every cell of an ablation's table says in every metric, and what rows share.

A reported value stands beside the metric that is its statistic: a pooled Dice beside the pooled one, a mean over cases
beside that, and so do the shares and changes that are made of them.

A cell in a metric (`Measure`) knows its values and what is missing. Everything is worked out once and kept
(`Measures`): a table, a figure and a page ask for the same cells.

Rows that share a stage under a seed share its luck: their difference is the better known for it, and their spreads over
seeds are not independent. `shared` says which do, `spent` what that saved.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from medsearch.core.reported import Reported, find
from medsearch.reporting import comparison as comparing
from medsearch.reporting.comparison import BySeed, Change, Comparison
from medsearch.reporting.metrics import metric_of, pooled
from medsearch.reporting.power import forecast
from medsearch.reporting.results import AblationResults, ColumnResults
from medsearch.reporting.statistics import Scores, Summary
from medsearch.reporting.variance_components import Interval
from medsearch.reporting.verdicts import Context, Measured, Verdict, verdict
from medsearch.reporting.wording import KnobName, knob_names, listed
from medsearch.study.record.headers import Row

Key = tuple[str, str, str]
"""The labels of row and column, and the metric."""
Block = tuple[ColumnResults, str]
"""A column of the table in a metric."""
CHANGE = "change"
"""The metric of reported values that are relative changes."""
WHOLE = "all cases"
"""The subject of a value that a run has alone."""


@dataclass(frozen=True, kw_only=True)
class Measure(Scores):
    """A cell that is asked for, in one metric ("test/dice")."""

    row: Row
    column: ColumnResults

    @property
    def key(self) -> Key:
        """The labels of row and column, and the metric."""
        return self.row.label, self.column.label, self.metric

    @cached_property
    def by_seed(self) -> BySeed:
        """As `Scores.by_seed`; what a run has alone is as one case's."""
        if self.known.by_case:
            return super().by_seed
        return {seed: {WHOLE: value} for seed, value in self.values.items()}

    @property
    def measured(self) -> Measured:
        """The values over seeds and over cases that a verdict compares with the paper's."""
        return Measured(seeds=self.seeds.values, cases=self.cases.values, missing=self.planned - len(self.values))


@final
@dataclass(frozen=True, kw_only=True)
class RelativeChange:
    """By how many % the mean of a cell (`of`) differs from that of the row that it is compared with (`other`)."""

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
        return comparing.change(self.of.by_seed, self.other.by_seed)

    @property
    def seeds(self) -> Summary:
        """Over the seeds that have a change, in %."""
        return Summary(tuple(self.found.by_seed.values()) if self.found else ())

    @property
    def whole(self) -> bool:
        """Whether neither cell lacks a seed: only then is the change the row's."""
        return self.of.whole and self.other.whole and self.seeds.n == self.of.planned

    @property
    def measured(self) -> Measured:
        """For a verdict, which has one value per seed and none per case: a change is one of means."""
        return Measured(seeds=self.seeds.values, missing=self.of.planned - self.seeds.n)


@dataclass(frozen=True, kw_only=True)
class MeanShare:
    """The mean over columns of a row's share of the target-supervised model, beside the one that the paper prints."""

    reported: Reported
    mean: float
    columns: int  # whose cells, and the target-supervised ones, have all their seeds
    asked: int


@final
class Measures:
    """Every cell of `results` in every metric, with what is made of it. Keys are (row, column, metric).

    blocks: the columns of the table, each task in each metric. all: the cells, column by column, metric by metric, row
    by row, in which order they are also iterated over.
    """

    def __init__(self, results: AblationResults) -> None:
        self.results = results
        columns = results.columns
        self.blocks: tuple[Block, ...] = tuple((c, metric) for c in columns for metric in results.metrics_of(c.label))
        self.all: dict[Key, Measure] = {
            (row.label, column.label, metric): Measure(
                row=row,
                column=column,
                metric=metric,
                replicates=(runs := results.cell(row.label, column.label).replicates),
                planned=len(runs),
            )
            for column, metric in self.blocks
            for row in results.rows_of(column.label)
        }
        self._reported: dict[tuple[str, ...], Reported | None] = {}
        self._shares: dict[Key, Interval | None] = {}

    def __iter__(self) -> Iterator[Measure]:
        return iter(self.all.values())

    def get(self, row: str, column: str, metric: str) -> Measure | None:
        """The measure; None where the row is not asked of the column."""
        return self.all.get((row, column, metric))

    def of_block(self, block: Block) -> tuple[Measure, ...]:
        """The cells of a column in a metric, row by row."""
        column, metric = block
        return tuple(self.all[row.label, column.label, metric] for row in self.results.rows_of(column.label))

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

    def reported_share(self, of: Measure) -> Reported | None:
        """The share of the target-supervised model that the paper prints for the cell.

        Where the table has one variant, the paper's row of shares may have a name of its own ("% of TSMP").
        """
        if not of.known.ratio:
            return None
        found = self.reported(of, "share")
        if found is None and [row for row in self.results.rows if row.kind == "variant"] == [of.row]:
            printed = self._printed(of)
            shares = [value for value in printed if value.metric == "share" and value.column == of.column.label]
            found = shares[0] if len(shares) == 1 else None
        return found

    def beside(self, of: Measure) -> tuple[Reported, ...]:
        """All that the paper prints for the cell: the metric itself, its share, its relative change."""
        change = self.changes.get(of.key)
        printed = (self.reported(of), self.reported_share(of), change.reported if change else None)
        return tuple(value for value in printed if value is not None)

    @cached_property
    def unplaced(self) -> tuple[Reported, ...]:
        """Reported values that stand beside no cell."""
        beside = (value for of in self for value in self.beside(of))
        placed = {id(value) for value in (*beside, *(mean.reported for mean in self.mean_shares))}
        return tuple(value for value in self.results.design.reported if id(value) not in placed)

    @cached_property
    def mean_shares(self) -> tuple[MeanShare, ...]:
        """Of every row of which the paper prints a mean share over columns."""
        labels = {column.label for column in self.results.columns}
        found = []
        for reported in (v for v in self.results.design.reported if v.metric == "share" and v.column not in labels):
            rows = (of for of in self if of.row.label == reported.row and of.known.ratio)
            cells = [of for of in rows if reported in self._printed(of)]
            shares = [share.estimate for of in cells if (share := self.share(of)) and self.shares_whole(of)]
            if reported.column.startswith("mean") and shares:
                mean = float(np.mean(shares))
                found.append(MeanShare(reported=reported, mean=mean, columns=len(shares), asked=len(cells)))
        return tuple(found)

    @cached_property
    def changes(self) -> dict[Key, RelativeChange]:
        """Of every row that is compared with another, if the paper's table has relative changes; by the cell's key."""
        if not any(value.metric == CHANGE for value in self.results.design.reported):
            return {}
        return {
            of.key: RelativeChange(of=of, other=other, reported=self.reported(of, CHANGE))
            for of in self
            if of.known.ratio and (other := self.get(of.row.against, of.column.label, of.metric))
        }

    @cached_property
    def verdicts(self) -> dict[Key, Verdict]:
        """What is to be said of every reported value; nothing while its cell still waits for its first seed.

        Those on relative changes stand under keys of their own. The margin of the study is of its first metric, pooled
        or not; without one, and without a usual one, nothing is said.
        """
        design, found = self.results.design, {}
        first = design.metrics[0]
        for key, of in self.all.items():
            reported, margin = self.reported(of), design.margin if of.metric in (first, pooled(first)) else None
            sayable = of.known.margin is not None or margin is not None
            if reported is not None and (of.values or not of.seeds.waiting) and sayable:
                found[key] = self._verdict(of, of, reported, unpooled=self._unpooled(of), margin=margin)
        for change in self.changes.values():
            waiting = change.found is None and (change.of.seeds.waiting or change.other.seeds.waiting)
            if change.reported is not None and not waiting:
                cell = self._unpooled(change.of)
                other = self.changes.get(cell.key) if cell else None
                found[change.key] = self._verdict(change.of, change, change.reported, unpooled=other)
        return found

    def _unpooled(self, of: Measure) -> Measure | None:
        """The same cell in the metric that `of` pools; None if it pools none."""
        row, column, metric = of.key
        return self.get(row, column, f"{metric.rpartition('/')[0]}/{of.known.pools}") if of.known.pools else None

    def _verdict(
        self,
        of: Measure,
        ours: Measure | RelativeChange,
        reported: Reported,
        *,
        unpooled: Measure | RelativeChange | None,
        margin: float | None = None,
    ) -> Verdict:
        """On `ours`, the cell or its change, with a note where the paper leaves its statistic open and it matters.

        unpooled: the same as the mean over cases, where `ours` is pooled.
        """
        column, other = of.column, self._unpooled(of)
        lacking = other is not None and bool(other.values) and not of.values
        context = Context(
            cohort=column.layout,
            selection=column.selection,
            scale=self.results.design.scale,
            phantom=column.provenance.phantom,
            skipped=len(column.provenance.skipped),
            statistic=other.known.statistic if other and lacking else of.known.statistic,
            unit=of.unit,
        )
        found = verdict(ours.measured, reported, context=context, margin=margin)
        if unpooled is None or not reported.assumed:
            return found
        kind = verdict(unpooled.measured, reported, context=context, margin=margin).kind
        if found.kind in (kind, "not comparable"):
            return found
        note = f"that the paper's value is pooled is assumed; the mean over cases would be “{kind}”"
        return replace(found, notes=(*found.notes, note))

    @cached_property
    def comparisons(self) -> dict[Key, Comparison]:
        """Every row that is compared with another; p-values after Holm over the rows of a column."""
        found: dict[Key, Comparison] = {}
        for block in (block for block in self.blocks if metric_of(block[1]).by_case):
            pairs = [
                (of, other)
                for of in self.of_block(block)
                if of.row.against and (other := self.get(of.row.against, of.column.label, of.metric))
            ]
            compared = comparing.holm([comparing.compare(of.by_seed, other.by_seed) for of, other in pairs])
            found |= {of.key: comparison for (of, _), comparison in zip(pairs, compared, strict=True)}
        return found

    @cached_property
    def line_comparisons(self) -> dict[tuple[str, str, str, str], Comparison]:
        """Of lines whose rows are compared with those of another one: the mean over their points against its mean.

        Keys are (line, other line, column, metric); of pairs of lines that have two points or more. Each is taken by
        itself, without Holm.
        """
        pairs: dict[tuple[str, str, str, str], list[tuple[BySeed, BySeed]]] = {}
        for row, column, metric in self.comparisons:
            of = self.all[row, column, metric]
            other = self.all[of.row.against, column, metric]
            if of.row.line and other.row.line and of.row.line != other.row.line:
                key = (of.row.line, other.row.line, column, metric)
                pairs.setdefault(key, []).append((of.by_seed, other.by_seed))
        return {
            key: comparing.compare(*(comparing.averaged(side) for side in zip(*points, strict=True)))
            for key, points in pairs.items()
            if len(points) > 1
        }

    def forecast(self, metric: str) -> str:
        """Which difference the seeds show, and how many would show the margin; empty where nobody knows."""
        compared = [comparison for key, comparison in self.comparisons.items() if key[2] == metric]
        margin = self.results.design.margin if metric == self.results.design.metrics[0] else None
        return forecast(compared, metric_of(metric), margin)

    @property
    def shares(self) -> bool:
        """Whether a share of the target-supervised model can be said of any cell."""
        return bool(self.results.design.supervised) and any(of.known.ratio for of in self)

    def share(self, of: Measure) -> Interval | None:
        """As a share of the target-supervised model's value in that column, which has no error against itself."""
        if of.key not in self._shares:
            supervised, share = self.get(self.results.design.supervised, of.column.label, of.metric), None
            if of.known.ratio and supervised and supervised.values and of.values:
                itself = of.row is supervised.row
                share = Interval(1.0) if itself else comparing.share(of.by_seed, supervised.by_seed)
            self._shares[of.key] = share
        return self._shares[of.key]

    def shares_whole(self, of: Measure) -> bool:
        """Whether neither the cell nor the target-supervised one lacks a seed: only then is its share the row's."""
        supervised = self.get(self.results.design.supervised, of.column.label, of.metric)
        return of.whole and supervised is not None and supervised.whole


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Rows that stand on the same run of these nodes under each of these seeds."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    nodes: tuple[str, ...]
    seeds: tuple[int, ...]

    def words(self, of: AblationResults) -> str:
        """The note under the table that says which rows share which stages, under which seeds, in which columns."""
        when = f"under seed{'s' * (len(self.seeds) > 1)} {listed(self.seeds)}"
        when = "seed by seed" if self.seeds == of.design.seeds else when
        what = f"{listed(self.nodes)} {when}"
        if len(self.rows) == 1:
            return f"“{self.rows[0]}” shares {what} between {of.named(self.columns)}."
        return f"Rows {listed(f'“{row}”' for row in self.rows)} share {what} ({of.named(self.columns)})."


def shared(results: AblationResults) -> tuple[Shared, ...]:
    """Groups of rows by the stage runs that they have in common, the largest groups first.

    The same rows with the same nodes in several columns are one group.
    """
    owners: dict[str, dict[tuple[str, str], None]] = {}  # key of a stage run -> the cells that stand on it
    about: dict[str, tuple[str, int]] = {}  # its node and seed
    for cell in results.cells:
        for replicate in cell.replicates:
            for node, key in replicate.stages:
                owners.setdefault(key, {})[cell.row, cell.column] = None
                about.setdefault(key, (node, replicate.seed))
    seeds_of: dict[tuple[tuple[str, str], ...], dict[str, set[int]]] = {}  # cells -> node -> seeds
    for key, cells in owners.items():
        if len(cells) > 1:
            node, seed = about[key]
            seeds_of.setdefault(tuple(cells), {}).setdefault(node, set()).add(seed)
    columns_of: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]], dict[str, None]] = {}
    for owning, nodes in seeds_of.items():
        rows, columns = (tuple(dict.fromkeys(labels)) for labels in zip(*owning, strict=True))
        for seeds in dict.fromkeys(tuple(sorted(under)) for under in nodes.values()):
            names = tuple(node for node, under in nodes.items() if tuple(sorted(under)) == seeds)
            columns_of.setdefault((rows, names, seeds), {}).update(dict.fromkeys(columns))
    groups = (
        Shared(rows=rows, columns=tuple(columns), nodes=nodes, seeds=seeds)
        for (rows, nodes, seeds), columns in columns_of.items()
    )
    return tuple(sorted(groups, key=lambda group: -len(group.rows)))


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What sharing saved, in seconds of the stage runs that are stored."""

    asked: int
    distinct: int
    alone: float
    shared: float

    @property
    def saved(self) -> float:
        """The share of the time that was not spent; 0 before anything is stored."""
        return 1 - self.shared / self.alone if self.alone else 0.0


def spent(results: AblationResults) -> Spent:
    """Over the stage runs that are finished."""
    done = [(run.asked, run.seconds) for run in results.runs if run.state == "complete" and run.seconds is not None]
    return Spent(
        asked=sum(asked for asked, _ in done),
        distinct=len(done),
        alone=sum(seconds * asked for asked, seconds in done),
        shared=sum(seconds for _, seconds in done),
    )


def names_of(results: AblationResults) -> dict[str, KnobName]:
    """The short name of every knob that the results mention."""
    design = results.design
    tables = [design.fixed, *design.within.values(), *(row.knobs for row in results.rows)]
    tables += [design.retuning.space] if design.retuning else []
    tables += [design.base.knobs] if design.base else []
    return knob_names(path for table in tables for path in table)
