"""What figures show of a cell: its mean, spread and seeds, the reported value, and what is missing."""

from dataclasses import dataclass

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures

COLOURS = ("#2f81c7", "#e08e00", "#0f9d76", "#d5541a", "#8e6bbf", "#c2578f", "#5c9ead", "#a3842c")
"""Hues that colour-blind readers tell apart, of a middle lightness that stands on white and on near-black alike."""

REFERENCE = "#8d95a1"
MARKERS = ("circle", "square", "triangle-up", "triangle-down", "pentagon", "hexagon", "star", "cross")
MATPLOTLIB_MARKERS = ("o", "s", "^", "v", "p", "h", "*", "P")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A cell in a figure; everything is None or empty where there is nothing."""

    row: str
    column: str
    mean: float | None = None
    sd: float | None = None  # over seeds
    values: tuple[float, ...] = ()  # of the seeds
    reported: float | None = None
    missing: str = ""  # "2 of 3, seed 1 diverged"; empty if every planned seed has a value
    count: str = ""  # "2 of 3"; empty likewise
    note: str = ""  # what a pointer over it is told

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.mean is None and self.reported is None


def mark(of: Measure, measures: Measures) -> Mark:
    """What figures show of `of`."""
    reported, verdict = measures.reported(of), measures.verdicts.get(of.key)
    lines = [f"{of.row.label}, {of.column.label}", cells.measured(of)]
    lines += [f"reported {cells.printed(reported)}"] if reported else []
    lines += [verdict.kind] if verdict else []
    return Mark(
        row=of.row.label,
        column=of.column.label,
        mean=of.seeds.mean,
        sd=of.seeds.sd,
        values=of.seeds.values,
        reported=reported.value if reported else None,
        missing="" if of.whole else cells.lacking(of),
        count="" if of.whole else f"{len(of.values)} of {of.planned}",
        note="\n".join(lines),
    )


def colours(measures: Measures) -> dict[str, str]:
    """A colour for every row, references grey."""
    variants = [row.label for row in measures.results.rows if row.kind == "variant"]
    found = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(variants)}
    return {row.label: found.get(row.label, REFERENCE) for row in measures.results.rows}
