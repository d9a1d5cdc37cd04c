"""The upper part of an ablation's page: question, answer, the paper's table, and what each block of it stands on."""

from collections.abc import Mapping

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.answer import answer, unfinished, warnings
from medsearch.reporting.ablation.caption import caption
from medsearch.reporting.ablation.cells import metric_name
from medsearch.reporting.ablation.layout import Block, title_of, unplaced
from medsearch.reporting.ablation.measures import Measure, Measures
from medsearch.reporting.ablation.results import Row
from medsearch.reporting.ablation.sharing import spent
from medsearch.reporting.elements import (
    axis,
    badges,
    cell,
    heading,
    links,
    notes,
    strip,
    table,
    tiles,
    warned,
    words,
)
from medsearch.reporting.formats import carried
from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import duration, percent

BADGES: Mapping[str, str] = {
    "agrees": "good", "lower": "bad", "higher": "bad", "underpowered": "caution", "not comparable": "",
}  # fmt: skip


def opening(measures: Measures) -> Markup:
    """The question, the answer, its numbers, and what to beware of."""
    results = measures.results
    design, rules = results.design, dict.fromkeys(column.selection for column in results.columns)
    marks = [(f"{design.scale} scale", ""), (f"selection: {', '.join(rules)}", "")]
    phantom = any(column.provenance.phantom for column in results.columns)
    cohorts = dict.fromkeys(column.provenance.cohort for column in results.columns)
    marks += [("phantom cohort", "caution")] if phantom else [(cohort, "") for cohort in cohorts]
    marks += [("not finished", "caution")] if unfinished(results) else []
    return tag(
        "header",
        tag("p", tag("code", design.study), badges(marks), class_="kicker"),
        tag("h1", design.question),
        tag("p", words(answer(measures)), class_="answer"),
        tiles(_tiles(measures)),
        warned(warnings(measures)),
    )


def _tiles(measures: Measures) -> list[tuple[str, str, str]]:
    results, saved = measures.results, spent(measures.results)
    runs = results.replicates
    counts = [(state, sum(run.state == state for run in runs)) for state in ("failed", "running", "waiting")]
    tested = sum(run.state == "complete" for run in runs)
    told = ", ".join(f"{count} {state}" for state, count in counts if count) or "none failed"
    kinds = [verdict.kind for verdict in measures.verdicts.values()]
    found = [("Replicates tested", f"{tested} of {len(runs)}", told)]
    if kinds:
        others = ", ".join(f"{kinds.count(kind)} {kind}" for kind in BADGES if kind != "agrees" and kind in kinds)
        found.append(("Agree with the paper", f"{kinds.count('agrees')} of {len(kinds)}", others or "all of them"))
    if saved.distinct:
        time = f"{duration(saved.shared)} of training instead of {duration(saved.alone)}"
        found.append(("Saved by sharing stages", percent(saved.saved), time))
    return found


def result(measures: Measures, files: Mapping[str, str]) -> Markup:
    """The paper's table with measured beside reported, its caption, and the same as files."""
    blocks = measures.blocks
    head: list[Child] = [""]
    for block in blocks:
        head += [title_of(block, measures), "Reported", "Verdict"]
    rows = [_row(row, measures) for row in measures.results.rows]
    return tag(
        "section",
        heading("result", "Result", "Measured beside reported, row by row."),
        table(head, rows, style="stack"),
        notes((*caption(measures), *unplaced(measures))),
        links(carried(files)),
    )


def _row(row: Row, measures: Measures) -> Markup:
    found: list[Markup] = [tag("th", row.label, tag("small", "reference") if row.kind == "reference" else None)]
    for column, metric in measures.blocks:
        name = title_of((column, metric), measures)
        of = measures.get(row.label, column.label, metric)
        if of is None:
            found.append(tag("td", cells.NOT_ASKED, class_="n none", data_name=name, colspan=3))
            continue
        reported, verdict = measures.reported(of), measures.verdicts.get(of.key)
        found += [
            cell(name, *_measured(of)),
            cell("Reported", cells.printed(reported)),
            cell("Verdict", _badge(verdict)),
        ]
    return tag("tr", *found)


def _measured(of: Measure) -> tuple[Child, ...]:
    """Mean ± SD; what is missing on a line of its own, in colour."""
    if of.whole:
        return cells.mean_sd(of.seeds), tag("small", f"n={of.planned}")
    if not of.values:
        return (tag("span", cells.lacking(of), class_="bad" if of.seeds.failed else "caution"),)
    mark = tag("span", f" {cells.SURVIVORS}", class_="mark")
    return cells.mean_sd(of.seeds), mark, tag("small", cells.lacking(of), class_="bad")


def _badge(verdict: Verdict | None) -> Child:
    if verdict is None:
        return cells.judged(verdict)
    return tag("span", verdict.kind, class_=f"badge {BADGES[verdict.kind]}".strip(), title=verdict.reason)


def evidence(measures: Measures) -> Markup:
    """Of each block: every seed, the spread over cases, the paired comparison, the share, the verdict's reason."""
    lead = (
        "Every seed as a dot, the reported value as a hollow diamond; SD over test cases; the paired difference from "
        "another row; the share of the target-supervised model; and why a verdict is what it is."
    )
    blocks = (_block(measures, block) for block in measures.blocks)
    return tag("section", heading("evidence", "What it stands on", lead), *blocks)


def _block(measures: Measures, block: Block) -> Markup:
    column, metric = block
    top = _top(measures, block)
    dots = axis(f"{metric_name(metric)}, each seed", f"{top:g}")
    head: list[Child] = ["", dots, "SD over cases", "Difference", "p (Holm)", "Share", "Verdict"]
    found = (measures.all[row.label, column.label, metric] for row in measures.results.rows_of(column.label))
    rows = [_line(of, measures, top) for of in found]
    return joined([tag("h3", title_of(block, measures)), table(head, rows, style="small stack")])


def _top(measures: Measures, block: Block) -> float:
    """The end of the strips' scale: 1 for overlaps, a round number above every value for distances."""
    column, metric = block
    of = [measures.all[row.label, column.label, metric] for row in measures.results.rows_of(column.label)]
    reported = [value.value for one in of if (value := measures.reported(one))]
    largest = max([value for one in of for value in one.values.values()] + reported, default=1.0)
    return 1.0 if largest <= 1 and "dice" in metric else next(t for t in _ROUND if t >= largest)


_ROUND = tuple(factor * 10.0**power for power in range(-3, 9) for factor in (1, 2, 5))


def _line(of: Measure, measures: Measures, top: float) -> Markup:
    compared, verdict = measures.comparisons.get(of.key), measures.verdicts.get(of.key)
    reported, share = measures.reported(of), measures.reported(of, "share") if of.name == "dice" else None
    seeds = strip(
        of.seeds.values, of.seeds.mean, failed=of.seeds.failed, reported=reported.value if reported else None, top=top
    )
    paper = tag("small", f"reported {cells.printed(share)}") if share else None
    against = tag("small", f"from {of.row.against}") if compared else None
    row = tag(
        "tr",
        tag("th", of.row.label, scope="row"),
        tag("td", seeds, class_="plot"),
        cell("SD over cases", cells.over_cases(of)),
        cell("Difference", cells.effect(compared), against),
        cell("p (Holm)", cells.probability(compared)),
        cell("Share of target supervised", cells.share(of, measures), paper),
        cell("Verdict", _badge(verdict)),
        class_="open" if verdict else None,
    )
    if verdict is None or reported is None:
        return row
    source = f"{reported.where}, p. {reported.page}: {cells.printed(reported)}"
    told = "; ".join([f"{verdict.kind}: {verdict.reason}", *verdict.notes, source])
    return joined([row, tag("tr", tag("td", told, colspan=7, class_="lead"), class_="reason")])
