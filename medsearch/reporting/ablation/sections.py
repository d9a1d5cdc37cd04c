"""The upper part of an ablation's page: question, answer, the paper's table, and what each block of it stands on."""

from collections.abc import Mapping

from medsearch.reporting.ablation import cells, layout
from medsearch.reporting.ablation.answer import answer, unfinished, warnings
from medsearch.reporting.ablation.caption import caption
from medsearch.reporting.ablation.layout import Block, is_change, is_reported, parts_of, title_of, unplaced
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.sharing import spent
from medsearch.reporting.elements import (
    axis,
    badges,
    cell,
    heading,
    links,
    notes,
    rounded_ends,
    strip,
    table,
    tiles,
    warned,
    words,
)
from medsearch.reporting.formats import carried
from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import NOTHING, duration, percent
from medsearch.study.record import Row

BADGES: Mapping[str, str] = {
    "agrees": "good", "lower": "bad", "higher": "bad", "underpowered": "caution", "not comparable": "",
}  # fmt: skip


SHOWN = ("SD over cases", "Difference", "p (Holm)", "Share", "Change")
"""Of the evidence, what has a column of its own on the page; what the paper prints stands below it."""


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
    head, over = [""], [("", 1)]
    for block in measures.blocks:
        parts = [part for part in parts_of(block, measures) if part != "Verdict"]  # it stands below the reported value
        head, over = [*head, *parts], [*over, (title_of(block, measures), len(parts))]
    rows = [_row(row, measures) for row in measures.results.rows]
    return tag(
        "section",
        heading("result", "Result", "Measured beside reported, row by row."),
        table(head, rows, style="stack", over=over),
        notes((*caption(measures), *unplaced(measures))),
        links(carried({name: text for name, text in files.items() if name.startswith("table")})),
    )


def _row(row: Row, measures: Measures) -> Markup:
    reference = tag("small", "reference") if row.kind == "reference" else None
    found: list[Markup] = [tag("th", row.label, reference, scope="row")]
    for block in measures.blocks:
        column, metric = block
        name, span = title_of(block, measures), len([part for part in parts_of(block, measures) if part != "Verdict"])
        wide, of = span > 1, measures.get(row.label, column.label, metric)
        if of is None:
            found.append(tag("td", cells.NOT_ASKED, class_="n none starts alone", data_name=name, colspan=span))
            continue
        found.append(tag("td", *_measured(of), class_="n starts" if wide else "n starts alone", data_name=name))
        if is_change(block, measures):
            found += _changed(of, measures)
        elif wide:
            found.append(cell("Reported", *_reported(of, measures)))
    return tag("tr", *found)


def _changed(of: Measure, measures: Measures) -> list[Markup]:
    """The relative change, and the one that the paper prints with its verdict."""
    change = measures.changes.get(of.key)
    reported = change.reported if change else None
    judged = tag("small", _badge(measures.verdicts.get(change.key))) if change and reported else ""
    return [
        cell("Change", cells.change(change)),
        cell("Reported", cells.alone(reported) if reported else NOTHING, judged),
    ]


def _reported(of: Measure, measures: Measures) -> tuple[Child, ...]:
    """The paper's value with what its spread is over, and the verdict."""
    reported = measures.reported(of)
    if reported is None:
        return (cells.printed(reported),)
    over = f"{reported.n or ''} {reported.spread_of}".strip()
    return (
        cells.alone(reported),
        tag("small", f"{over} ", _badge(measures.verdicts.get(of.key))),
    )


def _measured(of: Measure) -> tuple[Child, ...]:
    """Mean ± SD; what is missing on a line of its own, in colour."""
    if of.whole:
        return cells.mean_sd(of), tag("small", f"n={of.planned}")
    if not of.values:
        return (tag("span", cells.lacking(of), class_="bad" if of.seeds.failed else "caution"),)
    mark = tag("span", f" {cells.SURVIVORS}", class_="mark")
    lines = (tag("small", part, class_="bad") for part in cells.lacking(of).split(", "))
    return cells.mean_sd(of), mark, *lines


def _badge(verdict: Verdict | None) -> Child:
    if verdict is None:
        return cells.judged(verdict)
    return tag("span", verdict.kind, class_=f"badge {BADGES[verdict.kind]}".strip(), title=verdict.reason)


def evidence(measures: Measures) -> Markup:
    """Of each block: every seed, the spread over cases, the paired comparison, share and change, verdicts' reasons."""
    lead = (
        "Every seed as a dot, the reported value as a hollow diamond; SD over test cases; the paired difference from "
        "another row, as methods and as these trained models; "
        f"{'the relative change against it; ' if measures.changes else ''}"
        f"{'the share of the target-supervised model; ' if measures.shares else ''}and why a verdict is what it is."
    )
    blocks = (_block(measures, block) for block in measures.blocks)
    return tag("section", heading("evidence", "What it stands on", lead), *blocks)


def _block(measures: Measures, block: Block) -> Markup:
    column, metric = block
    scale, (names, lines) = _scale(measures, block), layout.evidence(measures, block)
    shown = [name for name in SHOWN if {name, f"Reported {name.lower()}"} & set(names)]
    dots = axis(f"{metric_of(metric).heading}, each seed", (f"{scale[0]:g}", f"{scale[1]:g}"))
    judged = ["Verdict"] if is_reported(block, measures) else []
    rows = [
        _line(of, measures, {name: line[name] for name in shown}, scale=scale)
        for of, line in zip(measures.of_block(column.label, metric), lines, strict=True)
    ]
    head: list[Child] = ["", dots, *shown, *judged]
    return joined([tag("h3", title_of(block, measures)), table(head, rows, style="small stack")])


def _scale(measures: Measures, block: Block) -> tuple[float, float]:
    """The ends of a block's strips: round numbers around every value, so that differences are seen."""
    column, metric = block
    of = measures.of_block(column.label, metric)
    values = [value for one in of for value in one.values.values()]
    values += [reported.value for one in of if (reported := measures.reported(one))]
    return rounded_ends(values)


def _line(of: Measure, measures: Measures, texts: Mapping[str, str], *, scale: tuple[float, float]) -> Markup:
    reported = measures.reported(of)
    paper = reported.value if reported else None
    over, digits = of.seeds, of.known.digits
    seeds = strip(over.values, over.mean, failed=over.failed, reported=paper, scale=scale, digits=digits)
    below = _below(of, measures)
    found = [
        cell(name, text, tag("small", *told) if (told := below.get(name)) else None) for name, text in texts.items()
    ]
    judged = is_reported((of.column, of.metric), measures)
    reasons = _reasons(of, measures)
    row = tag(
        "tr",
        tag("th", of.row.label, scope="row"),
        tag("td", seeds, class_="plot"),
        *found,
        cell("Verdict", _badge(measures.verdicts.get(of.key))) if judged else None,
        class_="open" if reasons else None,
    )
    lines = (tag("td", reason, colspan=2 + len(texts) + judged) for reason in reasons)
    last = len(reasons) - 1
    return joined([row, *(tag("tr", one, class_="reason" + " open" * (i < last)) for i, one in enumerate(lines))])


def _below(of: Measure, measures: Measures) -> dict[str, tuple[Child, ...]]:
    """What stands in small letters below the numbers of a cell's evidence."""
    found: dict[str, tuple[Child, ...]] = {}
    share, change = measures.reported_share(of), measures.changes.get(of.key)
    if of.key in measures.comparisons:
        found["Difference"] = (f"from {of.row.against}",)
        found["p (Holm)"] = (f"these models {cells.of_models(measures.comparisons[of.key])}",)
    if share:
        found["Share"] = (f"reported {cells.printed(share)}",)
    if change and change.reported:
        verdict = measures.verdicts.get(change.key)
        found["Change"] = (f"reported {cells.printed(change.reported)} ", _badge(verdict) if verdict else None)
    return found


def _reasons(of: Measure, measures: Measures) -> list[str]:
    """Why the cell's verdicts are what they are, and where the paper prints what they are on."""
    change = measures.changes.get(of.key)
    on = [("", of.key, measures.reported(of))]
    on += [("change ", change.key, change.reported)] if change else []
    told = []
    for what, key, reported in on:
        verdict = measures.verdicts.get(key)
        if verdict is not None and reported is not None:
            source = f"{reported.where}, p. {reported.page}: {cells.printed(reported)}"
            told.append("; ".join([f"{what}{verdict.kind}: {verdict.reason}", *verdict.notes, source]))
    return told
