"""table.tex: the paper's table with booktabs rules, then what each block of it stands on, then the notes.

An article's column holds some eighty characters of a small font, so verdicts are letters at the measured value, the row
that another is compared with is a number, and what does not fit stands in the notes.
"""

from collections.abc import Mapping, Sequence

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.answer import answer, warnings
from medsearch.reporting.ablation.caption import caption
from medsearch.reporting.ablation.layout import Block, blocks_of, title_of, unplaced
from medsearch.reporting.ablation.measures import Measure, Measures
from medsearch.reporting.ablation.results import Row
from medsearch.reporting.formats import latex_table, slug
from medsearch.reporting.wording import NOTHING, score, tex

BESIDE = 2
"""Blocks (a column in a metric) that stand side by side."""

LETTERS: Mapping[str, str] = {"agrees": "a", "lower": "l", "higher": "h", "underpowered": "u", "not comparable": "n"}
"""Verdicts at the measured value."""

KEY = "Verdicts: " + ", ".join(f"{letter} {kind}" for kind, letter in LETTERS.items()) + "."


def table_tex(measures: Measures) -> str:
    """Needs booktabs and nothing else."""
    label = f"tab:{slug(measures.results.design.study)}"
    lines = [r"% needs \usepackage{booktabs}"]
    for number, blocks in enumerate(blocks_of(measures, BESIDE)):
        lines += _main(measures, blocks, f"{label}-{number + 1}" if number else label, first=not number)
    for number, block in enumerate(measures.blocks):
        lines += _evidence(measures, block, f"{label}-evidence-{number + 1}")
    notes = " ".join(tex(line) for line in (*caption(measures), *unplaced(measures)))
    lines += [rf"{{\footnotesize\noindent Notes to Table~\ref{{{label}}}. {notes}\par}}", ""]
    return "\n".join(lines)


def _main(measures: Measures, blocks: Sequence[Block], label: str, *, first: bool) -> list[str]:
    study, seeds = measures.results.design.study, len(measures.results.design.seeds)
    told = [answer(measures), *warnings(measures)] if first else [f"{study}, continued."]
    spans = ["", *(rf"\multicolumn{{2}}{{c}}{{{tex(title_of(block, measures))}}}" for block in blocks)]
    rules = " ".join(rf"\cmidrule(lr){{{2 + 2 * i}-{3 + 2 * i}}}" for i in range(len(blocks)))
    head = [spans, [rules], ["", *[f"Measured (n={seeds})", "Reported"] * len(blocks)]]
    rows = [[tex(row.label), *_row(row, blocks, measures)] for row in measures.results.rows]
    words = " ".join(tex(line) for line in (*told, KEY))
    return latex_table(head, rows, columns="l" + "rr" * len(blocks), caption=words, label=label)


def _row(row: Row, blocks: Sequence[Block], measures: Measures) -> list[str]:
    found = []
    for column, metric in blocks:
        of = measures.get(row.label, column.label, metric)
        reported = measures.reported(of) if of else None
        paper = NOTHING if reported is None else cells.plus_minus(reported.value, reported.spread)
        found += [_measured(of, measures), tex(paper)]
    return found


def _measured(of: Measure | None, measures: Measures) -> str:
    """Mean ± SD with the verdict's letter; of a row that lacks seeds, a second line says which."""
    if of is None or not of.values:
        return tex(cells.measured(of))
    verdict = measures.verdicts.get(of.key)
    letter = rf"\textsuperscript{{{LETTERS[verdict.kind]}}}" if verdict else ""
    if of.whole:
        return tex(cells.mean_sd(of.seeds)) + letter
    value = f"{tex(f'{cells.mean_sd(of.seeds)} {cells.SURVIVORS}')}{letter}"
    lines = [value, *(rf"\scriptsize {tex(part)}" for part in cells.lacking(of).split(", "))]
    stacked = r"\\".join(lines)
    return rf"\shortstack[r]{{{stacked}}}"


def _evidence(measures: Measures, block: Block, label: str) -> list[str]:
    column, metric = block
    rows = measures.results.rows_of(column.label)
    numbers = {row.label: number for number, row in enumerate(rows, start=1)}
    lines = []
    for row in rows:
        of = measures.all[row.label, column.label, metric]
        compared, paper = (
            measures.comparisons.get(of.key),
            measures.reported(of, "share") if of.name == "dice" else None,
        )
        texts = [
            f"{numbers[row.label]}. {row.label}", NOTHING if of.cases.sd is None else score(of.cases.sd),
            f"{numbers[row.against]}" if compared else NOTHING, cells.effect(compared), cells.probability(compared),
            cells.share(of, measures), cells.printed(paper),
        ]  # fmt: skip
        lines.append([tex(text) for text in texts])
    study = measures.results.design.study
    cases = max((measures.all[row.label, column.label, metric].cases.n for row in rows), default=0)
    told = (
        f"{study}, {title_of(block, measures)}: SD over {cases} test cases, paired difference with its interval from "
        "the row whose number is given, p after Holm, share of the target-supervised model measured and reported."
    )
    head = [["", "SD cases", "vs.", "Difference", "p", "Share", "Rep."]]
    return latex_table(head, lines, columns="lrrrrrr", caption=tex(told), label=label)
