"""An ablation's answer in the terminal: a compact table for each column, safe in a log of 120 characters."""

from typing import TYPE_CHECKING

from medsearch.core.terminal import grid
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.answer import answer, warnings
from medsearch.reporting.ablation.caption import failures
from medsearch.reporting.ablation.layout import Block, title_of
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.results import AblationResults
from medsearch.reporting.ablation.sharing import spent
from medsearch.reporting.wording import NOTHING, duration, percent

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

HEADINGS = ("", "Measured", "Reported", "Verdict", "Difference", "p")


def summary_text(results: AblationResults) -> "Group":
    """The answer, its warnings, a table for each column and metric, failures, what sharing saved."""
    from rich.console import Group
    from rich.text import Text

    measures, saved = Measures(results), spent(results)
    tables = [part for block in measures.blocks for part in (Text(title_of(block, measures)), _table(measures, block))]
    time = f"{duration(saved.shared)} instead of {duration(saved.alone)}, {percent(saved.saved)} saved"
    shared = f"{saved.distinct} stage runs served {saved.asked}: {time}" if saved.distinct else ""
    return Group(
        Text(answer(measures), style="bold"),
        *(Text(line, style="yellow") for line in warnings(measures)),
        *tables,
        *(Text(f"Failed: {line}", style="red") for line in failures(results)),
        Text(shared, style="dim"),
    )


def _table(measures: Measures, block: Block) -> "Table":
    column, metric = block
    rows = []
    for row in measures.results.rows_of(column.label):
        of = measures.all[row.label, column.label, metric]
        compared, verdict = measures.comparisons.get(of.key), measures.verdicts.get(of.key)
        reported = measures.reported(of)
        paper = NOTHING if reported is None else cells.alone(reported)
        texts = (_measured(of), paper, cells.judged(verdict))
        rows.append((row.label, *texts, cells.effect(of, measures), cells.probability(compared)))
    kept = [place for place in range(len(HEADINGS)) if any(row[place] != NOTHING for row in rows)]
    return grid([HEADINGS[place] for place in kept], [[row[place] for place in kept] for row in rows])


def _measured(of: Measure) -> str:
    """Short: which seeds are missing, and why, is said under the tables."""
    if of.whole:
        return f"{cells.mean_sd(of)} (n={of.planned})"
    if not of.values:
        return cells.lacking(of)
    return f"{cells.mean_sd(of)} {cells.SURVIVORS} ({len(of.values)} of {of.planned})"
