"""table.tex: the paper's table with booktabs rules, then what each block of it stands on, then the notes.

An article's column holds some eighty characters of a small font, so verdicts are letters at the measured value, the row
that another is compared with is a number, relative changes have a table of their own, and what does not fit stands in
the notes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.answer import answer, warnings
from medsearch.reporting.ablation.caption import caption
from medsearch.reporting.ablation.changes import RelativeChange
from medsearch.reporting.ablation.layout import Block, blocks_of, evidence, is_reported, reasons, title_of, unplaced
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.formats import latex_table, slug
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import NOTHING, tex
from medsearch.study.record import Row

BESIDE = 2
"""Blocks (a column in a metric) that stand side by side."""

LETTERS: Mapping[str, str] = {"agrees": "a", "lower": "l", "higher": "h", "underpowered": "u", "not comparable": "n"}
"""Verdicts at the measured value."""

SHORT: Mapping[str, str] = {
    "": "", "SD over cases": "SD cases", "Compared with": "vs.", "Difference": "Difference", "p (Holm)": "p",
    "Wilcoxon (Holm)": "Wilc.",    "Share": "Share", "Reported share": "Rep.",
}  # fmt: skip
"""Headings of the evidence, as narrow as what stands under them; what is not here has no column in it."""

KEY = "Verdicts: " + ", ".join(f"{letter} {kind}" for kind, letter in LETTERS.items()) + "."


def table_tex(measures: Measures) -> str:
    """Needs booktabs and nothing else."""
    label = f"tab:{slug(measures.results.design.study)}"
    lines = [r"% needs \usepackage{booktabs}"]
    for number, blocks in enumerate(blocks_of(measures, BESIDE)):
        lines += _main(measures, blocks, f"{label}-{number + 1}" if number else label, first=not number)
    for number, block in enumerate(measures.blocks):
        lines += _evidence(measures, block, f"{label}-evidence-{number + 1}")
        lines += _changes(measures, block, f"{label}-change-{number + 1}")
    notes = " ".join(tex(line) for line in (*caption(measures), *reasons(measures), *unplaced(measures)))
    lines += [rf"{{\footnotesize\noindent Notes to Table~\ref{{{label}}}. {notes}\par}}", ""]
    return "\n".join(lines)


def _main(measures: Measures, blocks: Sequence[Block], label: str, *, first: bool) -> list[str]:
    study, seeds = measures.results.design.study, len(measures.results.design.seeds)
    told = [answer(measures), *warnings(measures)] if first else [f"{study}, continued."]
    spans, rules, names, end = [""], [], [""], 1
    for block in blocks:
        parts = [f"Measured (n={seeds})", "Reported"][: 1 + is_reported(block, measures)]
        spans.append(rf"\multicolumn{{{len(parts)}}}{{c}}{{{tex(title_of(block, measures))}}}")
        rules.append(rf"\cmidrule(lr){{{end + 1}-{end + len(parts)}}}")
        names, end = [*names, *parts], end + len(parts)
    head = [spans, [" ".join(rules)], names]
    rows = [line for row in measures.results.rows for line in _rows(row, blocks, measures)]
    words = " ".join(tex(line) for line in (*told, KEY))
    return latex_table(head, rows, columns="l" + "r" * (end - 1), caption=words, label=label)


def _rows(row: Row, blocks: Sequence[Block], measures: Measures) -> Iterator[list[str]]:
    """A line of the table, and more for what a cell lacks."""
    found: list[list[str]] = [[tex(row.label)]]
    for block in blocks:
        column, metric = block
        of = measures.get(row.label, column.label, metric)
        reported = measures.reported(of) if of else None
        paper = NOTHING if reported is None else cells.alone(reported)
        found += [_measured(of, measures), [tex(paper)]][: 1 + is_reported(block, measures)]
    return _cut(found)


def _cut(row: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """A row whose cells hold several lines, line by line."""
    return (list(line) for line in zip_longest(*row, fillvalue=""))


def _measured(of: Measure | None, measures: Measures) -> list[str]:
    """Mean ± SD with the verdict's letter; of a row that lacks seeds, more lines say which."""
    if of is None or not of.values:
        return [tex(part) for part in cells.measured(of).split(", ")]
    letter = _letter(measures.verdicts.get(of.key))
    if of.whole:
        return [tex(cells.mean_sd(of)) + letter]
    value = f"{tex(f'{cells.mean_sd(of)} {cells.SURVIVORS}')}{letter}"
    return [value, *(_small(part) for part in cells.lacking(of).split(", "))]


def _letter(verdict: Verdict | None) -> str:
    return rf"\textsuperscript{{{LETTERS[verdict.kind]}}}" if verdict else ""


def _small(text: str) -> str:
    return rf"\scriptsize {tex(text)}"


def _evidence(measures: Measures, block: Block, label: str) -> list[str]:
    column, metric = block
    every = measures.of_block(column.label, metric)
    numbers = _numbers(every)
    found, lines = evidence(measures, block)
    headings = [name for name in found if name in SHORT]
    counts = {of.cases.n for of in every if of.cases.sd is not None}
    alike = len(counts) == 1
    shorter = (
        # how many cases there are is said above, if they are as many in every row
        {**line, "SD over cases": line["SD over cases"].partition(" ")[0] if alike else line["SD over cases"]}
        | {"Compared with": numbers.get(line["Compared with"], NOTHING), "": f"{number}. {line['']}"}
        for number, line in enumerate(lines, start=1)
    )
    rows = [[tex(line[name]) for name in headings] for line in shorter]
    cases = f"{counts.pop()} test cases" if alike else "test cases"
    told = (
        f"{measures.results.design.study}, {title_of(block, measures)}: SD over {cases}, paired difference "
        "with its interval from the row whose number is given, p of the methods and Wilcoxon's of these models, after "
        "Holm"
        f"{', share of the target-supervised model measured and reported' if measures.shares else ''}."
    )
    head = [[SHORT[name] for name in headings]]
    return latex_table(head, rows, columns=f"l{'r' * (len(headings) - 1)}", caption=tex(told), label=label)


def _numbers(every: Iterable[Measure]) -> dict[str, str]:
    """Of rows, as the evidence names them."""
    return {of.row.label: str(number) for number, of in enumerate(every, start=1)}


def _changes(measures: Measures, block: Block, label: str) -> list[str]:
    """Relative changes measured beside reported; no table where there are none."""
    column, metric = block
    every, seeds = measures.of_block(column.label, metric), len(measures.results.design.seeds)
    numbers = _numbers(every)
    rows: list[list[str]] = []
    for change in (found for of in every if (found := measures.changes.get(of.key))):
        row, letter = change.of.row, _letter(measures.verdicts.get(change.key))
        paper = cells.alone(change.reported) if change.reported else NOTHING
        name = f"{numbers[row.label]}. {row.label}"
        rows += _cut([[tex(name)], [numbers[row.against]], _changed(change, letter), [tex(paper)]])
    told = (
        f"{measures.results.design.study}, {title_of(block, measures)}: relative change against the row whose number "
        f"is given, with its interval, measured and reported. {KEY}"
    )
    head = [["", "vs.", f"Change (n={seeds})", "Reported"]]
    return latex_table(head, rows, columns="lrrr", caption=tex(told), label=label) if rows else []


def _changed(of: RelativeChange, letter: str) -> list[str]:
    """The change with its verdict's letter; below it how many seeds it is over, if not all, and its interval."""
    if of.seeds.mean is None:
        return [tex(cells.change(of)) + letter]
    value, interval = cells.relative(of.seeds.mean, of.seeds.sd), cells.change_interval(of)
    lacking = [] if of.whole else [f"{of.seeds.n} of {of.of.planned}"]
    first = tex(value if of.whole else f"{value} {cells.SURVIVORS}") + letter
    return [first, *(_small(part) for part in (*lacking, interval) if part)]
