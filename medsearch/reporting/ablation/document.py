"""The report of an ablation as a document, from which its page, files and summary are rendered.

An article's column holds some eighty characters of a small font, so verdicts are letters at the measured value there,
the row that another is compared with is a number, relative changes have a table of their own, and what does not fit
stands in the notes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from medsearch.reporting import document as doc
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.cells import blocks_of, is_change, is_reported, parts_of, title_of
from medsearch.reporting.ablation.charts import bars, caption_of, curves, panels
from medsearch.reporting.ablation.measures import Block, Measure, Measures, RelativeChange, names_of, spent
from medsearch.reporting.ablation.narrative import answer, caption, failures, unfinished, warnings
from medsearch.reporting.ablation.sheets import cases_csv, record, table_csv
from medsearch.reporting.charts import AnyChart, Bars, Curves, Panels
from medsearch.reporting.document import ChartFigure, Document, Heading, Notes, Paragraph, Part, Printed, Section, Table
from medsearch.reporting.metrics import metric_of, short
from medsearch.reporting.provenance import badges, data_facts, program_facts, run_row, state
from medsearch.reporting.results import AblationResults, CandidateResults, CellResults, Replicate, StageRunResults
from medsearch.reporting.results import title_of as title_of_picture
from medsearch.reporting.verdicts import Verdict
from medsearch.reporting.wording import (
    NOTHING,
    counted,
    duration,
    listed,
    number,
    percent,
    score,
    selection_rule,
    settings,
    slug,
)
from medsearch.study.record import headers as records

BESIDE, BESIDE_IN_PRINT = 4, 2
"""Blocks (a column in a metric) that stand side by side in Markdown, and in an article."""
WIDE = 30
"""Bars beyond which a page's chart scrolls sideways."""
BADGES: Mapping[str, doc.Tone] = {
    "agrees": "good", "lower": "bad", "higher": "bad", "underpowered": "caution", "not comparable": "",
}  # fmt: skip
LETTERS: Mapping[str, str] = {"agrees": "a", "lower": "l", "higher": "h", "underpowered": "u", "not comparable": "n"}
"""Verdicts at the measured value."""
KEY = "Verdicts: " + ", ".join(f"{letter} {kind}" for kind, letter in LETTERS.items()) + "."
SHORT: Mapping[str, str] = {
    "": "", "SD over cases": "SD cases", "Compared with": "vs.", "Difference": "Difference", "p (Holm)": "p",
    "Wilcoxon (Holm)": "Wilc.", "Share": "Share", "Reported share": "Rep.",
}  # fmt: skip
"""Headings of the evidence in an article, as narrow as what stands under them; what is not here has no column in it."""
SHOWN = ("SD over cases", "Difference", "p (Holm)", "Share", "Change")
"""Of the evidence, what has a column of its own on the page; what the paper prints stands below it."""
SUMMARY = ("", "Measured", "Reported", "Verdict", "Difference", "p")


def document(results: AblationResults, folder: Path) -> Document:
    """What `results` say, finished or not; pictures and tiles are found from `folder`."""
    measures, design = Measures(results), results.design
    figures = dict(_figures(measures, folder))
    notes = (*caption(measures), *cells.reasons(measures), *cells.unplaced(measures))
    return Document(
        name=design.study,
        question=design.question,
        answer=answer(measures),
        badges=badges(
            [column.provenance for column in results.columns],
            [column.selection for column in results.columns],
            finished=not unfinished(results),
            scale=design.scale,
        ),
        tiles=tuple(_tiles(measures)),
        warnings=warnings(measures),
        sections=tuple(_sections(measures, figures, folder)),
        created=results.columns[0].provenance.created,
        tables=tuple(_tables(measures)),
        notes=notes,
        article=tuple(_article(measures)),
        article_notes=notes,
        summary=tuple(_summary(measures)),
        sheets={"table.csv": table_csv(measures), "cases.csv": cases_csv(measures)},
        figures=figures,
        record=record(measures),
    )


def _tiles(measures: Measures) -> Iterator[tuple[str, str, str]]:
    runs, saved = measures.results.replicates, spent(measures.results)
    counts = [(one, sum(run.state == one for run in runs)) for one in ("failed", "running", "waiting")]
    tested = sum(run.state == "complete" for run in runs)
    told = ", ".join(f"{count} {one}" for one, count in counts if count) or "none failed"
    yield "Replicates tested", f"{tested} of {len(runs)}", told
    kinds = [verdict.kind for verdict in measures.verdicts.values()]
    if kinds:
        others = ", ".join(f"{kinds.count(kind)} {kind}" for kind in BADGES if kind != "agrees" and kind in kinds)
        yield "Agree with the paper", f"{kinds.count('agrees')} of {len(kinds)}", others or "all of them"
    if saved.distinct:
        time = f"{duration(saved.shared)} of training instead of {duration(saved.alone)}"
        yield "Saved by sharing stages", percent(saved.saved), time


def _sections(measures: Measures, figures: Mapping[str, AnyChart], folder: Path) -> Iterator[Section]:
    """Of the page."""
    results = measures.results
    notes = Notes((*caption(measures), *cells.unplaced(measures)))
    files = doc.Files(("table.csv", "table.md", "table.tex"))
    yield Section("Result", "Result", "Measured beside reported, row by row.", (_result(measures), notes, files))
    if figures:
        blocks = (block for name, chart in figures.items() for block in _shown(name, chart))
        yield Section("Figures", "Figures", blocks=tuple(blocks))
    lead = (
        "Every seed as a dot, the reported value as a hollow diamond; SD over test cases; the paired difference from "
        "another row, as methods and as these trained models; "
        f"{'the relative change against it; ' if measures.changes else ''}"
        f"{'the share of the target-supervised model; ' if measures.shares else ''}and why a verdict is what it is."
    )
    evidence = (part for block in measures.blocks for part in _evidence(measures, block))
    yield Section("Evidence", "What it stands on", lead, tuple(evidence))
    if results.pictures:
        left_out = counted(results.pictures_left_out, "more picture")
        told = f"{left_out} of other cells lie beside their test stages, in stages/<key>/pictures."
        more = Paragraph((told,), "aside") if results.pictures_left_out else None
        yield Section("Pictures", "Pictures", blocks=(*doc.galleries(results.pictures, folder), more))
    yield Section("Runs", "Every run", blocks=tuple(_runs(results)))
    yield Section("Provenance", "Provenance", blocks=tuple(_provenance(results)))


# The paper's table on the page: measured beside reported.


def _result(measures: Measures) -> Table:
    head, over = [""], [("", 1)]
    for block in measures.blocks:
        parts = [part for part in parts_of(block, measures) if part != "Verdict"]  # it stands below the reported value
        head, over = [*head, *parts], [*over, (title_of(block, measures), len(parts))]
    rows = tuple(_row(row, measures) for row in measures.results.rows)
    return Table(head=tuple(head), rows=rows, over=tuple(over), style="stack")


def _row(row: records.Row, measures: Measures) -> doc.TableRow:
    found = [doc.label(row.label, doc.small("reference") if row.kind == "reference" else None)]
    for block in measures.blocks:
        column, metric = block
        name, span = title_of(block, measures), len([part for part in parts_of(block, measures) if part != "Verdict"])
        of = measures.get(row.label, column.label, metric)
        if of is None:
            found.append(doc.TableCell((cells.NOT_ASKED,), name, "absent", span))
            continue
        found.append(doc.TableCell(_measured(of), name, "first" if span > 1 else "alone"))
        if is_change(block, measures):
            change = measures.changes.get(of.key)
            reported = change.reported if change else None
            judged = doc.small(_badge(measures.verdicts.get(change.key))) if change and reported else None
            found.append(doc.TableCell((cells.change(change),), "Change"))
            found.append(doc.TableCell((cells.alone(reported) if reported else NOTHING, judged), "Reported"))
        elif span > 1:
            found.append(doc.TableCell(_reported(of, measures), "Reported"))
    return doc.TableRow(cells=tuple(found))


def _reported(of: Measure, measures: Measures) -> tuple[Part, ...]:
    """The paper's value with what its spread is over, and the verdict."""
    reported = measures.reported(of)
    if reported is None:
        return (cells.printed(reported),)
    over = f"{reported.n or ''} {reported.spread_of}".strip()
    return cells.alone(reported), doc.small(f"{over} ", _badge(measures.verdicts.get(of.key)))


def _measured(of: Measure) -> tuple[Part, ...]:
    """Mean ± SD; what is missing on a line of its own, in colour."""
    if of.whole:
        return cells.mean_sd(of), doc.small(f"n={of.planned}")
    if not of.values:
        return (doc.Text((cells.lacking(of),), tone="bad" if of.seeds.failed else "caution"),)
    lines = (doc.small(part, tone="bad") for part in cells.lacking(of).split(", "))
    return cells.mean_sd(of), doc.Text((f" {cells.SURVIVORS}",), "mark"), *lines


def _badge(verdict: Verdict | None) -> Part:
    if verdict is None:
        return cells.judged(verdict)
    return doc.Text((verdict.kind,), "badge", BADGES[verdict.kind], title=verdict.reason)


# What each block stands on: every seed, the spread over cases, the comparison, share and change, verdicts' reasons.


def _evidence(measures: Measures, block: Block) -> tuple[Heading, Table]:
    every = measures.of_block(block)
    names, lines = cells.evidence(measures, block)
    shown = [name for name in SHOWN if {name, f"Reported {name.lower()}"} & set(names)]
    values = [value for of in every for value in of.values.values()]
    values += [reported.value for of in every if (reported := measures.reported(of))]
    scale = doc.rounded_ends(values)  # round numbers around every value, so that differences are seen
    judged = ["Verdict"] if is_reported(block, measures) else []
    rows = (
        _line(of, measures, {name: line[name] for name in shown}, scale=scale)
        for of, line in zip(every, lines, strict=True)
    )
    head: tuple[Part, ...] = ("", doc.ruler(f"{metric_of(block[1]).heading}, each seed", scale), *shown, *judged)
    return Heading(title_of(block, measures)), Table(head=head, rows=tuple(rows), style="small stack")


def _line(of: Measure, measures: Measures, texts: Mapping[str, str], *, scale: tuple[float, float]) -> doc.TableRow:
    reported, below = measures.reported(of), _below(of, measures)
    paper, over, digits = reported.value if reported else None, of.seeds, of.known.digits
    seeds = doc.strip(over.values, over.mean, failed=over.failed, reported=paper, scale=scale, digits=digits)
    found = [doc.label(of.row.label), doc.drawing(seeds)]
    for name, text in texts.items():
        found.append(doc.TableCell((text, doc.small(*below[name]) if name in below else None), name))
    if is_reported((of.column, of.metric), measures):
        found.append(doc.TableCell((_badge(measures.verdicts.get(of.key)),), "Verdict"))
    return doc.TableRow(cells=tuple(found), remarks=tuple(_reasons(of, measures)))


def _below(of: Measure, measures: Measures) -> dict[str, tuple[Part, ...]]:
    """What stands in small letters below the numbers of a cell's evidence."""
    found: dict[str, tuple[Part, ...]] = {}
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


def _reasons(of: Measure, measures: Measures) -> Iterator[str]:
    """Why the cell's verdicts are what they are, and where the paper prints what they are on."""
    change = measures.changes.get(of.key)
    on = [("", of.key, measures.reported(of))]
    on += [("change ", change.key, change.reported)] if change else []
    for what, key, reported in on:
        verdict = measures.verdicts.get(key)
        if verdict is not None and reported is not None:
            source = f"{reported.where}, p. {reported.page}: {cells.printed(reported)}"
            yield "; ".join([f"{what}{verdict.kind}: {verdict.reason}", *verdict.notes, source])


# Figures, as the paper draws them.


def _figures(measures: Measures, folder: Path) -> Iterator[tuple[str, AnyChart]]:
    """What these results can fill, by the name of its files."""
    for place, metric in enumerate(measures.results.metrics):
        kind = "curves" if measures.results.design.figure.kind == "curves" else "bars"
        chart = curves(measures, metric) if kind == "curves" else bars(measures, metric)
        if chart is not None:
            yield f"{kind}{f'_{short(metric)}' if place else ''}", chart
    for of in panels(measures.results, folder):
        yield of.kind, of


def _shown(name: str, chart: AnyChart) -> Iterator[doc.Block]:
    """A figure on the page; one of pictures as it is printed."""
    match chart:
        case Panels():
            yield Heading(title_of_picture(chart.kind))
            yield Paragraph((caption_of(chart),))
            yield Printed(f"figures/{name}.png", caption_of(chart))
        case Bars():
            lead = (
                "Mean and SD over seeds, a dot per seed; a reported value is a hollow diamond. "
                "A pale bar lacks seeds, a cross has none."
            )
            yield Heading(f"{chart.title}: {chart.y}" if chart.title else chart.y)
            yield Paragraph((lead,))
            wide = len(chart.groups) * len(chart.rows) > WIDE
            yield ChartFigure(name=slug(f"{name}-0"), title=name, chart=chart, scrolls=True, wide=wide)
        case Curves():
            lead = (
                f"Over {chart.x}: mean and SD over seeds; reported values are hollow diamonds. "
                "A pale point lacks seeds, a cross has none."
            )
            yield Heading(f"{chart.title}: {chart.y}" if chart.title else chart.y)
            yield Paragraph((lead,))
            for place, plot in enumerate(chart.plots):
                if len(chart.plots) > 1:
                    yield Heading(plot.column, 4)
                yield ChartFigure(
                    name=slug(f"{name}-{place}"), title=plot.column, chart=chart, place=place, scrolls=True
                )


# Every replicate and stage run, what was re-tuned, where the numbers come from.


def _runs(results: AblationResults) -> Iterator[Table]:
    replicates = tuple(_replicate(cell, run, results) for cell in results.cells for run in cell.replicates)
    if replicates:
        head = ("Row", "Column", "Seed", "State", *(metric_of(metric).heading for metric in results.metrics), "Time")
        yield Table(head=head, rows=replicates, folded=counted(len(replicates), "replicate"), style="small")
    if results.runs:
        rows = tuple(_run(run, results) for run in results.runs)
        head = ("Stage", "Key", "Seed", "State", "Asked for by", "Time")
        yield Table(head=head, rows=rows, folded=counted(len(rows), "stage run"), style="small")
    retuning, names = results.design.retuning, names_of(results)
    if retuning is not None and results.candidates:
        knobs = tuple(retuning.space)
        digits = metric_of(results.design.objective).digits
        rows = tuple(_candidate(one, knobs, digits) for one in results.candidates)
        yield Table(
            head=("Row", "Column", "Configuration", *(names[path] for path in knobs), "Value", "Chosen"),
            rows=rows,
            folded=counted(len(rows), "re-tuned configuration"),
            style="small",
        )


def _replicate(cell: CellResults, run: Replicate, results: AblationResults) -> doc.TableRow:
    found = (score(run.metrics.get(metric), metric_of(metric).digits) for metric in results.metrics)
    told = (cell.column, str(run.seed), state(run.state), *found)
    return run_row(cell.row, *told, seconds=run.seconds, reason=run.reason)


def _run(run: StageRunResults, results: AblationResults) -> doc.TableRow:
    several = len(results.columns) > 1
    owners = "; ".join(f"{row} ({column})" if several else row for row, column in run.owners[:3])
    more = f" and {len(run.owners) - 3} more" if len(run.owners) > 3 else ""
    told = (doc.code(run.key[:12]), str(run.seed), state(run.state), owners + more)
    return run_row(run.node, *told, seconds=run.seconds, reason=run.reason)


def _candidate(of: CandidateResults, knobs: tuple[str, ...], digits: int) -> doc.TableRow:
    values = (number(of.knobs[path]) if path in of.knobs else "as set" for path in knobs)
    value = state("failed") if of.reason else score(of.value, digits)
    told = (of.column, str(of.number), *values, value, "chosen" if of.chosen else "")
    found = (doc.label(of.row), *(doc.TableCell((part,)) for part in told))
    return doc.TableRow(cells=found, remarks=(of.reason,) if of.reason else (), failed=True)


def _provenance(results: AblationResults) -> Iterator[doc.Block]:
    """Column by column, then what all share."""
    for column in results.columns:
        rule = f"{column.selection}: {selection_rule(column.selection, column.provenance.truth)}"
        own = (("Layout", column.layout), ("Task", column.direction), ("Selection rule", rule))
        yield Heading(column.label)
        yield doc.facts((*data_facts(column.provenance), *own))
    yield Heading("The study")
    yield doc.facts((*_study(results), *program_facts(results.columns[0].provenance, results.trained)))


def _study(results: AblationResults) -> Iterator[doc.Fact]:
    design, saved = results.design, spent(results)
    fixed = settings(design.fixed, names_of(results))
    yield "Method", design.method
    yield "Seeds", listed(design.seeds)
    yield "Set for every row", doc.sentence(fixed) if fixed else "nothing"
    yield "Cost as declared", design.cost or NOTHING
    yield "Stage runs", f"{saved.distinct} distinct, asked for {saved.asked} times"
    yield (
        "Time in stage runs",
        f"{duration(saved.shared)}; every cell run alone would have taken {duration(saved.alone)} "
        f"({saved.alone - saved.shared:,.0f} stage-seconds saved)",
    )


# Markdown and the terminal.


def _tables(measures: Measures) -> Iterator[Table]:
    for blocks in blocks_of(measures, BESIDE):
        heads = (f"{title_of(block, measures)}: {part}" for block in blocks for part in parts_of(block, measures))
        rows = (cells.main_row(row, blocks, measures) for row in measures.results.rows)
        yield doc.text_table(["", *heads], rows)
    for block in measures.blocks:
        headings, lines = cells.evidence(measures, block)
        texts = ([line[name] for name in headings] for line in lines)
        yield doc.text_table(headings, texts, title=title_of(block, measures))


def _summary(measures: Measures) -> Iterator[Table | Paragraph]:
    """The answer, its warnings, a compact table for each column and metric, failures, what sharing saved."""
    yield from doc.paragraphs([answer(measures)], "answer")
    yield from doc.paragraphs(warnings(measures), "warning")
    yield from (_compact(measures, block) for block in measures.blocks)
    yield from doc.paragraphs((f"Failed: {line}" for line in failures(measures.results)), "failure")
    saved = spent(measures.results)
    if saved.distinct:
        time = f"{duration(saved.shared)} instead of {duration(saved.alone)}, {percent(saved.saved)} saved"
        yield Paragraph((f"{saved.distinct} stage runs served {saved.asked}: {time}",), "note")


def _compact(measures: Measures, block: Block) -> Table:
    """Which seeds are missing, and why, is said under the tables."""
    rows = []
    for of in measures.of_block(block):
        reported, value = measures.reported(of), cells.measured(of)
        if not of.whole and of.values:
            value = f"{cells.mean_sd(of)} {cells.SURVIVORS} ({len(of.values)} of {of.planned})"
        paper = NOTHING if reported is None else cells.alone(reported)
        texts = (value, paper, cells.judged(measures.verdicts.get(of.key)), cells.effect(of, measures))
        rows.append((of.row.label, *texts, cells.probability(measures.comparisons.get(of.key))))
    kept = [place for place in range(len(SUMMARY)) if any(row[place] != NOTHING for row in rows)]
    lines = ([row[place] for place in kept] for row in rows)
    return doc.text_table([SUMMARY[place] for place in kept], lines, title=title_of(block, measures))


# An article.


def _article(measures: Measures) -> Iterator[Table]:
    """The paper's table, then what each block of it stands on."""
    name = f"tab:{slug(measures.results.design.study)}"
    for place, blocks in enumerate(blocks_of(measures, BESIDE_IN_PRINT)):
        yield _main(measures, blocks, f"{name}-{place + 1}" if place else name, first=not place)
    for place, block in enumerate(measures.blocks, start=1):
        yield _printed_evidence(measures, block, f"{name}-evidence-{place}")
        yield from _printed_changes(measures, block, f"{name}-change-{place}")


def _main(measures: Measures, blocks: Sequence[Block], name: str, *, first: bool) -> Table:
    study, seeds = measures.results.design.study, len(measures.results.design.seeds)
    told = [answer(measures), *warnings(measures)] if first else [f"{study}, continued."]
    over, names = [("", 1)], [""]
    for block in blocks:
        parts = [f"Measured (n={seeds})", "Reported"][: 1 + is_reported(block, measures)]
        over, names = [*over, (title_of(block, measures), len(parts))], [*names, *parts]
    rows = (line for row in measures.results.rows for line in _rows(row, blocks, measures))
    return doc.text_table(names, rows, over=tuple(over), caption=" ".join([*told, KEY]), label=name)


def _rows(row: records.Row, blocks: Sequence[Block], measures: Measures) -> Iterator[list[Part]]:
    """A line of the table, and more for what a cell lacks."""
    found: list[list[Part]] = [[row.label]]
    for block in blocks:
        column, metric = block
        of = measures.get(row.label, column.label, metric)
        reported = measures.reported(of) if of else None
        paper = NOTHING if reported is None else cells.alone(reported)
        beside: list[list[Part]] = [_lines(of, measures), [paper]]
        found += beside[: 1 + is_reported(block, measures)]
    return _cut(found)


def _cut(row: Iterable[Sequence[Part]]) -> Iterator[list[Part]]:
    """A row whose cells hold several lines, line by line."""
    return (list(line) for line in zip_longest(*row, fillvalue=""))


def _lines(of: Measure | None, measures: Measures) -> list[Part]:
    """Mean ± SD with the verdict's letter; of a row that lacks seeds, more lines say which."""
    if of is None or not of.values:
        return [*cells.measured(of).split(", ")]
    letter = _letter(measures.verdicts.get(of.key))
    if of.whole:
        return [doc.Text((cells.mean_sd(of), letter))]
    value = doc.Text((f"{cells.mean_sd(of)} {cells.SURVIVORS}", letter))
    return [value, *(doc.small(part) for part in cells.lacking(of).split(", "))]


def _letter(verdict: Verdict | None) -> Part:
    return doc.Text((LETTERS[verdict.kind],), "raised") if verdict else None


def _printed_evidence(measures: Measures, block: Block, name: str) -> Table:
    every = measures.of_block(block)
    numbers = _numbers(every)
    found, lines = cells.evidence(measures, block)
    headings = [heading for heading in found if heading in SHORT]
    counts = {of.cases.n for of in every if of.cases.sd is not None}
    alike = len(counts) == 1
    shorter = (
        # how many cases there are is said above, if they are as many in every row
        {**line, "SD over cases": line["SD over cases"].partition(" ")[0] if alike else line["SD over cases"]}
        | {"Compared with": numbers.get(line["Compared with"], NOTHING), "": f"{place}. {line['']}"}
        for place, line in enumerate(lines, start=1)
    )
    rows = ([line[heading] for heading in headings] for line in shorter)
    told = (
        f"{measures.results.design.study}, {title_of(block, measures)}: SD over "
        f"{f'{counts.pop()} test cases' if alike else 'test cases'}, paired difference "
        "with its interval from the row whose number is given, p of the methods and Wilcoxon's of these models, after "
        "Holm"
        f"{', share of the target-supervised model measured and reported' if measures.shares else ''}."
    )
    return doc.text_table([SHORT[heading] for heading in headings], rows, caption=told, label=name)


def _numbers(every: Iterable[Measure]) -> dict[str, str]:
    """Of rows, as the evidence names them."""
    return {of.row.label: str(place) for place, of in enumerate(every, start=1)}


def _printed_changes(measures: Measures, block: Block, name: str) -> Iterator[Table]:
    """Relative changes measured beside reported; no table where there are none."""
    every, seeds = measures.of_block(block), len(measures.results.design.seeds)
    numbers = _numbers(every)
    rows: list[list[Part]] = []
    for change in (found for of in every if (found := measures.changes.get(of.key))):
        row, letter = change.of.row, _letter(measures.verdicts.get(change.key))
        paper = cells.alone(change.reported) if change.reported else NOTHING
        label = f"{numbers[row.label]}. {row.label}"
        line: list[list[Part]] = [[label], [numbers[row.against]], _changed(change, letter), [paper]]
        rows += _cut(line)
    if rows:
        told = (
            f"{measures.results.design.study}, {title_of(block, measures)}: relative change against the row whose "
            f"number is given, with its interval, measured and reported. {KEY}"
        )
        yield doc.text_table(["", "vs.", f"Change (n={seeds})", "Reported"], rows, caption=told, label=name)


def _changed(of: RelativeChange, letter: Part) -> list[Part]:
    """The change with its verdict's letter; below it how many seeds it is over, if not all, and its interval."""
    if of.seeds.mean is None:
        return [doc.Text((cells.change(of), letter))]
    value, interval = cells.relative(of.seeds.mean, of.seeds.sd), cells.change_interval(of)
    lacking = [] if of.whole else [f"{of.seeds.n} of {of.of.planned}"]
    first = doc.Text((value if of.whole else f"{value} {cells.SURVIVORS}", letter))
    return [first, *(doc.small(part) for part in (*lacking, interval) if part)]
