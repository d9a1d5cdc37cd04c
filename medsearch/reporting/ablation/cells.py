"""The cells of an ablation's tables as text, which is the same on the page, in LaTeX and in the terminal.

There are two kinds of table. The paper's has a line for each row of the ablation (`main_row`) and a block of cells for
each column and metric: measured, reported, verdict. The other says, for one block, what its numbers stand on
(`evidence`): cases, differences with intervals, p-values, shares, changes.
"""

from collections.abc import Mapping, Sequence

from medsearch.core.reported import Reported
from medsearch.reporting.ablation.measures import CHANGE, Block, Measure, Measures, RelativeChange
from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.variance_components import Interval
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import NOTHING, listed, percent, percent_interval, score
from medsearch.study.record.headers import Row

SURVIVORS = "†"
"""Stands at a mean that lacks planned seeds."""

NOT_ASKED = "not asked"
NO_TEST = "no test"
ONE_SEED = "one seed"


def mean_sd(of: Measure) -> str:
    """`0.844 ± 0.001` over seeds; without a spread where there is one value only."""
    return _plus_minus(of.seeds.mean, of.seeds.sd, of.known.digits)


def _plus_minus(value: float | None, spread: float | None, digits: int) -> str:
    return score(value, digits) + ("" if spread is None else f" ± {score(spread, digits)}")


def measured(of: Measure | None) -> str:
    """Mean ± SD over seeds with what it rests on: `0.844 ± 0.001 (n=3)`, `0.8 ± 0.1 † (2 of 3, seed 1 diverged)`."""
    if of is None:
        return NOT_ASKED
    if of.whole:
        return f"{mean_sd(of)} (n={of.planned})"
    if not of.values:
        return lacking(of)
    return f"{mean_sd(of)} {SURVIVORS} ({lacking(of)})"


def lacking(of: Measure) -> str:
    """How many of the planned seeds have a value, and why the others have none: `2 of 3, seed 1 diverged`."""
    if of.seeds.waiting == of.planned:
        return "not yet"
    seeds: dict[str, list[int]] = {}
    for lost in (lost for lost in of.lost if lost.kind != "waiting"):
        seeds.setdefault(lost.word, []).append(lost.seed)
    reasons = [f"seed{'s' * (len(which) > 1)} {listed(which)} {word}" for word, which in seeds.items()]
    so_far = " so far" if of.seeds.waiting else ""
    return ", ".join([f"{len(of.values)} of {of.planned}{so_far}", *reasons])


def printed(reported: Reported | None) -> str:
    """A reported value with its spread and what that is over: `0.863 ± 0.002 (3 seeds)`."""
    if reported is None:
        return NOTHING
    if reported.metric == "share":
        return percent(reported.value)
    over = f" ({reported.n or ''} {reported.spread_of})".replace("( ", "(") if reported.spread_of else ""
    return alone(reported) + over


def alone(reported: Reported) -> str:
    """A reported value with its spread, without what that is over."""
    if reported.metric == CHANGE:
        return relative(reported.value, reported.spread)
    return _plus_minus(reported.value, reported.spread, metric_of(reported.metric).digits)


def judged(verdict: Verdict | None) -> str:
    """The word of a verdict, `agrees`; a dash where there is none."""
    return NOTHING if verdict is None else verdict.kind


def effect(of: Measure, measures: Measures) -> str:
    """A mean paired difference with its interval: `−0.027 [−0.040, −0.012]`; marked if it lacks planned seeds."""
    comparison = measures.comparisons.get(of.key)
    if comparison is None or comparison.effect is None:
        return NOTHING
    mark = f" {SURVIVORS}" if comparison.fewest_seeds < of.planned else ""
    return effect_interval(comparison.effect, of.known.digits) + mark


def effect_interval(of: Interval, digits: int) -> str:
    """A difference with its interval, `−0.027 [−0.040, −0.012]`; without one where there is none."""
    between = f" [{', '.join(signed(end, digits) for end in of.bounds)}]" if of.bounds else ""
    return f"{signed(of.estimate, digits)}{between}"


def probability(comparison: Comparison | None) -> str:
    """The methods' p-value after Holm; the caption says why there is none."""
    if comparison is None:
        return NOTHING
    if comparison.p_holm is None:
        return ONE_SEED if comparison.effect and comparison.fewest_seeds < 2 else NO_TEST
    return f"{comparison.p_holm:.2g}"


def of_models(comparison: Comparison | None) -> str:
    """The p-value of these trained models, Wilcoxon's over cases, after Holm; the caption says why there is none."""
    if comparison is None:
        return NOTHING
    return NO_TEST if comparison.wilcoxon_p_holm is None else f"{comparison.wilcoxon_p_holm:.2g}"


def share(of: Measure | None, measures: Measures) -> str:
    """A share of the target-supervised model with its interval: `93% [90, 95]`."""
    found = None if of is None else measures.share(of)
    if of is None or found is None:
        return NOTHING
    return percent_interval(found) + ("" if measures.shares_whole(of) else f" {SURVIVORS}")


def change(of: RelativeChange | None) -> str:
    """A relative change with what it rests on: `−8.22 ± 2.71 % (n=3)`, `−8.22 ± 2.71 % † (2 of 3)`."""
    if of is None or of.seeds.mean is None:
        return NOTHING
    rests = f"(n={of.seeds.n})" if of.whole else f"{SURVIVORS} ({of.seeds.n} of {of.of.planned})"
    return f"{relative(of.seeds.mean, of.seeds.sd)} {rests}"


def change_interval(of: RelativeChange | None) -> str:
    """The interval of a relative change: `[−12.31, −4.10]`; why it is not shown, or empty where there is none."""
    interval = of.found.interval if of and of.found else None
    if interval is None or interval.bounds is None:
        return interval.reason if interval and interval.wide else ""
    return f"[{', '.join(signed(end, 2) for end in interval.bounds)}]"


def relative(value: float, spread: float | None) -> str:
    """A relative change in % as papers print it, with its sign: `−8.22 ± 2.71 %`."""
    return f"{signed(value, 2)}{'' if spread is None else f' ± {spread:.2f}'} %"


def signed(value: float, digits: int) -> str:
    """A difference with its sign and so many digits after the point: `+0.012` or `−0.012`."""
    return f"{value:+.{digits}f}".replace("-", "−")


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
    return any(measures.reported(of) for of in measures.of_block(block))


def is_change(block: Block, measures: Measures) -> bool:
    """Whether the paper prints relative changes of a block, and no value."""
    found = (measures.changes.get(of.key) for of in measures.of_block(block))
    return not is_reported(block, measures) and any(one and one.reported for one in found)


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
        parts = {"Measured": measured(of)}
        if of is not None and is_change(block, measures):
            found = measures.changes.get(of.key)
            parts["Change"], parts["Reported"] = change(found), printed(found.reported if found else None)
            parts["Verdict"] = judged(measures.verdicts.get(found.key) if found else None)
        elif of is not None:
            parts["Reported"] = printed(measures.reported(of))
            parts["Verdict"] = judged(measures.verdicts.get(of.key))
        texts += [parts.get(part, "") for part in parts_of(block, measures)]
    return texts


def evidence(measures: Measures, block: Block) -> tuple[tuple[str, ...], list[Mapping[str, str]]]:
    """What a block's numbers stand on: headings that anything stands under, and a line for each row."""
    found: list[Mapping[str, str]] = []
    for of in measures.of_block(block):
        compared, moved, sd = measures.comparisons.get(of.key), measures.changes.get(of.key), of.cases.sd
        found.append(
            {
                "": of.row.label,
                "SD over cases": NOTHING if sd is None else f"{score(sd, of.known.digits)} ({of.cases.n} cases)",
                "Compared with": of.row.against if compared else NOTHING,
                "Difference": effect(of, measures),
                "p (Holm)": probability(compared),
                "Wilcoxon (Holm)": of_models(compared),
                "Share": share(of, measures),
                "Reported share": printed(measures.reported_share(of)),
                "Change": f"{change(moved)} {change_interval(moved)}".strip(),
                "Reported change": printed(moved.reported if moved else None),
                "Verdict on change": judged(measures.verdicts.get(moved.key) if moved else None),
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
        f"Verdict “{kind}” in {every if 2 < len(places) == len(measures.verdicts) else listed(places)}: {why}."
        for (kind, why), places in found.items()
    )


def unplaced(measures: Measures) -> tuple[str, ...]:
    """Reported values that stand beside no cell, a line each."""
    return tuple(
        f"Reported, beside no cell: {value.row}, {value.column}: {metric_of(value.metric).words} "
        f"{printed(value)} ({', '.join(filter(None, (value.where, f'p. {value.page}', value.statistic)))})."
        for value in measures.unplaced
    )
