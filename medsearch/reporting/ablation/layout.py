"""Which cells stand where: the paper's table, rows by blocks (a column in a metric), and what each block stands on."""

from collections.abc import Mapping, Sequence

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.results import Column
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.wording import NOTHING, listed
from medsearch.study.record import Row

Block = tuple[Column, str]

PARTS = ("Measured", "Reported", "Verdict")
"""Of a block that the paper prints, in the paper's table; of others, the first."""
CHANGES = ("Measured", "Change", "Reported", "Verdict")
"""Of a block of which the paper prints relative changes alone."""


def title_of(block: Block, measures: Measures) -> str:
    """The column's label, with the metric where there are several."""
    column, metric = block
    several = len(measures.results.metrics) > 1
    return f"{column.label}, {metric_of(metric).heading}" if several else column.label


def parts_of(block: Block, measures: Measures) -> tuple[str, ...]:
    """What the paper's table says of each cell of a block."""
    if is_reported(block, measures):
        return PARTS
    return CHANGES if is_change(block, measures) else PARTS[:1]


def is_reported(block: Block, measures: Measures) -> bool:
    """Whether the paper prints a value of any cell of the block."""
    column, metric = block
    return any(measures.reported(of) for of in measures.of_block(column.label, metric))


def is_change(block: Block, measures: Measures) -> bool:
    """Whether the paper prints relative changes of a block, and no value."""
    column, metric = block
    changes = (measures.changes.get(of.key) for of in measures.of_block(column.label, metric))
    return not is_reported(block, measures) and any(change and change.reported for change in changes)


def blocks_of(measures: Measures, most: int) -> list[tuple[Block, ...]]:
    """The blocks of the table, `most` side by side."""
    blocks = measures.blocks
    return [blocks[start : start + most] for start in range(0, len(blocks), most)]


def main_row(row: Row, blocks: Sequence[Block], measures: Measures) -> list[str]:
    """A row of the paper's table: its label, then measured, reported and verdict of every block."""
    texts = [row.label]
    for block in blocks:
        column, metric = block
        of = measures.get(row.label, column.label, metric)
        parts = {"Measured": cells.measured(of)}
        if of is not None and is_change(block, measures):
            change = measures.changes.get(of.key)
            parts["Change"], parts["Reported"] = (
                cells.change(change),
                cells.printed(change.reported if change else None),
            )
            parts["Verdict"] = cells.judged(measures.verdicts.get(change.key) if change else None)
        elif of is not None:
            parts["Reported"] = cells.printed(measures.reported(of))
            parts["Verdict"] = cells.judged(measures.verdicts.get(of.key))
        texts += [parts.get(part, "") for part in parts_of(block, measures)]
    return texts


def evidence(measures: Measures, block: Block) -> tuple[tuple[str, ...], list[Mapping[str, str]]]:
    """What a block's numbers stand on: headings that anything stands under, and a line for each row."""
    column, metric = block
    found: list[Mapping[str, str]] = []
    for of in measures.of_block(column.label, metric):
        compared, change = measures.comparisons.get(of.key), measures.changes.get(of.key)
        found.append(
            {
                "": of.row.label,
                "SD over cases": cells.over_cases(of),
                "Compared with": of.row.against if compared else NOTHING,
                "Difference": cells.effect(of, measures),
                "p (Holm)": cells.probability(compared),
                "Wilcoxon (Holm)": cells.of_models(compared),
                "Share": cells.share(of, measures),
                "Reported share": cells.printed(measures.reported_share(of)),
                "Change": f"{cells.change(change)} {cells.change_interval(change)}".strip(),
                "Reported change": cells.printed(change.reported if change else None),
                "Verdict on change": cells.judged(measures.verdicts.get(change.key) if change else None),
            }
        )
    headings = found[0] if found else {}
    return tuple(name for name in headings if any(line[name] != NOTHING for line in found)), found


def reasons(measures: Measures) -> tuple[str, ...]:
    """Why verdicts are what they are, a line for all that are so for the same reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for (row, column, metric), verdict in measures.verdicts.items():
        why = "; ".join((verdict.reason, *verdict.notes))
        several = len(measures.results.metrics) > 1 or metric not in measures.results.metrics
        name = metric_of(metric).heading if several else ""
        where = ", ".join(filter(None, (column, name)))
        found.setdefault((verdict.kind, why), []).append(f"“{row}” ({where})")
    every = f"all {len(measures.verdicts)} cells beside a reported value"
    return tuple(
        f"Verdict “{kind}” in {every if 2 < len(cells) == len(measures.verdicts) else listed(cells)}: {why}."
        for (kind, why), cells in found.items()
    )


def unplaced(measures: Measures) -> tuple[str, ...]:
    """Reported values that stand beside no cell, a line each."""
    return tuple(
        f"Reported, beside no cell: {value.row}, {value.column}: {metric_of(value.metric).words} "
        f"{cells.printed(value)} ({', '.join(filter(None, (value.where, f'p. {value.page}', value.statistic)))})."
        for value in measures.unplaced
    )
