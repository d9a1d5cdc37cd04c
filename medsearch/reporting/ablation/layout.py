"""Which cells stand where: the paper's table, rows by blocks (a column in a metric), and what each block stands on."""

from collections.abc import Sequence

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.cells import metric_name
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.results import Column, Row
from medsearch.reporting.wording import NOTHING

Block = tuple[Column, str]

PARTS = ("Measured", "Reported", "Verdict")
"""Of a block, in the paper's table."""

EVIDENCE = ("", "SD over cases", "Compared with", "Difference", "p (Holm)", "Share", "Reported share")
"""What a block's numbers stand on."""


def title_of(block: Block, measures: Measures) -> str:
    """The column's label, with the metric where there are several."""
    column, metric = block
    several = len(measures.results.design.metrics) > 1
    return f"{column.label}, {metric_name(metric)}" if several else column.label


def blocks_of(measures: Measures, most: int) -> list[tuple[Block, ...]]:
    """The blocks of the table, `most` side by side."""
    blocks = measures.blocks
    return [blocks[start : start + most] for start in range(0, len(blocks), most)]


def main_row(row: Row, blocks: Sequence[Block], measures: Measures) -> list[str]:
    """A row of the paper's table: its label, then measured, reported and verdict of every block."""
    texts = [row.label]
    for column, metric in blocks:
        of = measures.get(row.label, column.label, metric)
        if of is None:
            texts += [cells.NOT_ASKED, "", ""]
        else:
            reported, verdict = measures.reported(of), measures.verdicts.get(of.key)
            texts += [cells.measured(of), cells.printed(reported), cells.judged(verdict)]
    return texts


def evidence(measures: Measures, block: Block) -> list[list[str]]:
    """The rows under `EVIDENCE` of those that are asked of the column."""
    column, metric = block
    found = []
    for row in measures.results.rows_of(column.label):
        of = measures.all[row.label, column.label, metric]
        compared = measures.comparisons.get(of.key)
        reported = measures.reported(of, "share") if of.name == "dice" else None
        found.append(
            [
                row.label,
                cells.over_cases(of),
                row.against if compared else NOTHING,
                cells.effect(compared),
                cells.probability(compared),
                cells.share(of, measures),
                cells.printed(reported),
            ]
        )
    return found


def unplaced(measures: Measures) -> tuple[str, ...]:
    """Reported values that stand beside no cell, a line each."""
    return tuple(
        f"Reported, beside no cell: {value.row}, {value.column}: {metric_name(value.metric)} {cells.printed(value)} "
        f"({value.where}, p. {value.page})."
        for value in measures.unplaced
    )
