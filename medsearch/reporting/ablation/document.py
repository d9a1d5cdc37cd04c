"""The report of an ablation as a document, from which its page, files and summary are rendered.

An article's column holds some eighty characters of a small font, so verdicts are letters at the measured value there,
the row that another is compared with is a number, relative changes have a table of their own, and what does not fit
stands in the notes.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from medsearch.reporting import document as doc
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.cells import SURVIVORS, blocks_of, is_change, is_reported, parts_of, title_of
from medsearch.reporting.ablation.charts import bars, caption_of, curves, panels
from medsearch.reporting.ablation.measures import Block, Measure, Measures, names_of, spent
from medsearch.reporting.ablation.narrative import answer, caption, failures, unfinished, warnings
from medsearch.reporting.ablation.sheets import cases_csv, record, table_csv
from medsearch.reporting.charts import AnyChart, Bars, Curves, Panels
from medsearch.reporting.document import ChartFigure, Document, Heading, Notes, Paragraph, Part, Printed, Section, Table
from medsearch.reporting.metrics import metric_of, short
from medsearch.reporting.provenance import badges, data_facts, program_facts, run_row, state
from medsearch.reporting.results import TITLES, AblationResults
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

BESIDE, BESIDE_IN_PRINT = 4, 2
"""Blocks (a column in a metric) that stand side by side in Markdown, and in an article."""
WIDE = 30
"""Bars beyond which a page's chart scrolls sideways."""
BADGES: Mapping[str, doc.Tone] = {
    "agrees": "good", "lower": "bad", "higher": "bad", "underpowered": "caution", "not comparable": "",
}  # fmt: skip
LETTERS: Mapping[str, str] = {kind: kind[0] for kind in BADGES}
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
    states = [run.state for run in runs]
    others = [f"{states.count(of)} {of}" for of in ("failed", "running", "waiting") if of in states]
    yield "Replicates tested", f"{states.count('complete')} of {len(runs)}", ", ".join(others) or "none failed"
    kinds = [verdict.kind for verdict in measures.verdicts.values()]
    if kinds:
        others = [f"{kinds.count(kind)} {kind}" for kind in BADGES if kind != "agrees" and kind in kinds]  # type: ignore[arg-type]
        yield "Agree with the paper", f"{kinds.count('agrees')} of {len(kinds)}", ", ".join(others) or "all of them"
    if saved.distinct:
        time = f"{duration(saved.shared)} of training instead of {duration(saved.alone)}"
        yield "Saved by sharing stages", percent(saved.saved), time


def _sections(measures: Measures, figures: Mapping[str, AnyChart], folder: Path) -> Iterator[Section]:
    """The sections of the page, in their order."""
    results = measures.results
    notes = Notes((*caption(measures), *cells.unplaced(measures)))
    files = doc.Files(("table.csv", "table.md", "table.tex"))
    yield Section("Result", "Result", "Measured beside reported, row by row.", (_result(measures), notes, files))
    if figures:
        blocks = (block for name, chart in figures.items() for block in _figure(name, chart))
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
        words = f"{left_out} of other cells lie beside their test stages, in stages/<key>/pictures."
        more = Paragraph((words,), "aside") if results.pictures_left_out else None
        yield Section("Pictures", "Pictures", blocks=(*doc.galleries(results.pictures, folder), more))
    yield Section("Runs", "Every run", blocks=tuple(_runs(results)))
    yield Section("Provenance", "Provenance", blocks=tuple(_provenance(results)))


def _badge(verdict: Verdict | None) -> Part:
    if verdict is None:
        return NOTHING
    return doc.Text((verdict.kind,), "badge", BADGES[verdict.kind], title=verdict.reason)


def _result(measures: Measures) -> Table:
    """The paper's table on the page: measured beside reported, the verdict below the reported value."""
    blocks = [(block, [p for p in parts_of(block, measures) if p != "Verdict"]) for block in measures.blocks]
    over = [("", 1), *((title_of(block, measures), len(parts)) for block, parts in blocks)]
    rows = []
    for row in measures.results.rows:
        line = [doc.label(row.label, doc.small("reference") if row.kind == "reference" else None)]
        for block, parts in blocks:
            of, name = measures.get(row.label, block[0].label, block[1]), title_of(block, measures)
            if of is None:
                line.append(doc.TableCell((cells.NOT_ASKED,), name, "absent", len(parts)))
                continue
            value: tuple[Part, ...] = (cells.mean_sd(of), doc.small(f"n={of.planned}"))
            if not of.values:
                value = (doc.Text((cells.lacking(of),), tone="bad" if of.seeds.failed else "caution"),)
            elif not of.whole:  # what is missing on lines of their own
                lacking = (doc.small(part, tone="bad") for part in cells.lacking(of).split(", "))
                value = (cells.mean_sd(of), doc.Text((f" {SURVIVORS}",), "mark"), *lacking)
            line.append(doc.TableCell(value, name, "first" if len(parts) > 1 else "alone"))
            if is_change(block, measures):
                change = measures.changes.get(of.key)
                line.append(doc.TableCell((cells.change(change),), "Change"))
                paper: tuple[Part, ...] = (NOTHING, None)
                if change and change.reported:
                    paper = (cells.alone(change.reported), doc.small(_badge(measures.verdicts.get(change.key))))
                line.append(doc.TableCell(paper, "Reported"))
            elif len(parts) > 1:
                reported = measures.reported(of)
                paper = (NOTHING,)
                if reported is not None:
                    spread = f"{reported.n or ''} {reported.spread_of}".strip()
                    badge = _badge(measures.verdicts.get(of.key))
                    paper = (cells.alone(reported), doc.small(f"{spread} ", badge))
                line.append(doc.TableCell(paper, "Reported"))
        rows.append(doc.TableRow(cells=tuple(line)))
    head = ("", *(part for _, parts in blocks for part in parts))
    return Table(head=head, rows=tuple(rows), over=tuple(over), style="stack")


def _evidence(measures: Measures, block: Block) -> tuple[Heading, Table]:
    """What a block stands on: every seed, SD over cases, the comparison, share and change, and verdicts' reasons."""
    every = measures.of_block(block)
    names, lines = cells.evidence(measures, block)
    shown = [name for name in SHOWN if {name, f"Reported {name.lower()}"} & set(names)]
    values = [value for of in every for value in of.values.values()]
    values += [reported.value for of in every if (reported := measures.reported(of))]
    scale = doc.rounded_ends(values)  # round numbers around every value, so that differences are seen
    judged = is_reported(block, measures)
    rows = []
    for of, texts in zip(every, lines, strict=True):
        reported, share, change = measures.reported(of), measures.reported_share(of), measures.changes.get(of.key)
        paper = reported.value if reported else None
        seeds = doc.strip(
            of.seeds.values, of.seeds.mean, failed=of.seeds.failed, reported=paper, scale=scale, digits=of.known.digits
        )
        below: dict[str, tuple[Part, ...]] = {}  # in small letters
        if of.key in measures.comparisons:
            below["Difference"] = (f"from {of.row.against}",)
            below["p (Holm)"] = (f"these models {cells.of_models(measures.comparisons[of.key])}",)
        if share:
            below["Share"] = (f"reported {cells.printed(share)}",)
        if change and change.reported:
            verdict = measures.verdicts.get(change.key)
            below["Change"] = (f"reported {cells.printed(change.reported)} ", _badge(verdict) if verdict else None)
        numbers = (
            doc.TableCell((texts[name], doc.small(*below[name]) if name in below else None), name) for name in shown
        )
        verdicts = [doc.TableCell((_badge(measures.verdicts.get(of.key)),), "Verdict")] if judged else []
        rows.append(
            doc.TableRow(
                cells=(doc.label(of.row.label), doc.drawing(seeds), *numbers, *verdicts),
                remarks=tuple(_reasons(of, measures)),
            )
        )
    strips = doc.ruler(f"{metric_of(block[1]).heading}, each seed", scale)
    head: tuple[Part, ...] = ("", strips, *shown, *(["Verdict"] if judged else []))
    return Heading(title_of(block, measures)), Table(head=head, rows=tuple(rows), style="small stack")


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


def _figures(measures: Measures, folder: Path) -> Iterator[tuple[str, AnyChart]]:
    """What these results can fill, by the name of its files."""
    kind = "curves" if measures.results.design.figure.kind == "curves" else "bars"
    for place, metric in enumerate(measures.results.metrics):
        chart = curves(measures, metric) if kind == "curves" else bars(measures, metric)
        if chart is not None:
            yield f"{kind}{f'_{short(metric)}' if place else ''}", chart
    for of in panels(measures.results, folder):
        yield of.kind, of


def _figure(name: str, chart: AnyChart) -> Iterator[doc.Block]:
    """A figure on the page; one of pictures as it is printed."""
    match chart:
        case Panels():
            yield Heading(TITLES.get(chart.kind, chart.kind))
            yield Paragraph((caption_of(chart),))
            yield Printed(f"figures/{name}.png", caption_of(chart))
        case Bars():
            yield Heading(f"{chart.title}: {chart.y}" if chart.title else chart.y)
            yield Paragraph(
                (
                    "Mean and SD over seeds, a dot per seed; a reported value is a hollow diamond. "
                    "A pale bar lacks seeds, a cross has none.",
                )
            )
            wide = len(chart.groups) * len(chart.rows) > WIDE
            yield ChartFigure(name=slug(f"{name}-0"), title=name, chart=chart, scrolls=True, wide=wide)
        case Curves():
            yield Heading(f"{chart.title}: {chart.y}" if chart.title else chart.y)
            yield Paragraph(
                (
                    f"Over {chart.x}: mean and SD over seeds; reported values are hollow diamonds. "
                    "A pale point lacks seeds, a cross has none.",
                )
            )
            for place, plot in enumerate(chart.plots):
                if len(chart.plots) > 1:
                    yield Heading(plot.column, 4)
                yield ChartFigure(
                    name=slug(f"{name}-{place}"), title=plot.column, chart=chart, place=place, scrolls=True
                )


def _runs(results: AblationResults) -> Iterator[Table]:
    """Every replicate, every stage run, and every configuration that was re-tuned; folded."""
    replicates = tuple(
        run_row(
            cell.row,
            cell.column,
            str(run.seed),
            state(run.state),
            *(score(run.metrics.get(metric), metric_of(metric).digits) for metric in results.metrics),
            seconds=run.seconds,
            reason=run.reason,
        )
        for cell in results.cells
        for run in cell.replicates
    )
    if replicates:
        head = ("Row", "Column", "Seed", "State", *(metric_of(metric).heading for metric in results.metrics), "Time")
        yield Table(head=head, rows=replicates, folded=counted(len(replicates), "replicate"), style="small")
    rows = []
    for run in results.runs:
        owners = [f"{row} ({column})" if len(results.columns) > 1 else row for row, column in run.owners]
        more = f" and {len(owners) - 3} more" if len(owners) > 3 else ""
        texts = (doc.code(run.key[:12]), str(run.seed), state(run.state), "; ".join(owners[:3]) + more)
        rows.append(run_row(run.node, *texts, seconds=run.seconds, reason=run.reason))
    if rows:
        head = ("Stage", "Key", "Seed", "State", "Asked for by", "Time")
        yield Table(head=head, rows=tuple(rows), folded=counted(len(rows), "stage run"), style="small")
    retuning, names = results.design.retuning, names_of(results)
    if retuning is None or not results.candidates:
        return
    rows = []
    for of in results.candidates:
        values = (number(of.knobs[path]) if path in of.knobs else "as set" for path in retuning.space)
        value = state("failed") if of.reason else score(of.value, metric_of(results.design.objective).digits)
        parts = (of.column, str(of.number), *values, value, "chosen" if of.chosen else "")
        line = (doc.label(of.row), *(doc.TableCell((part,)) for part in parts))
        rows.append(doc.TableRow(cells=line, remarks=(of.reason,) if of.reason else (), failed=True))
    yield Table(
        head=("Row", "Column", "Configuration", *(names[path] for path in retuning.space), "Value", "Chosen"),
        rows=tuple(rows),
        folded=counted(len(rows), "re-tuned configuration"),
        style="small",
    )


def _provenance(results: AblationResults) -> Iterator[doc.Block]:
    """Facts on the data and selection rule of every column, then on the study and the program."""
    for column in results.columns:
        rule = f"{column.selection}: {selection_rule(column.selection, column.provenance.truth)}"
        own = (("Layout", column.layout), ("Task", column.direction), ("Selection rule", rule))
        yield Heading(column.label)
        yield doc.facts((*data_facts(column.provenance), *own))
    design, saved = results.design, spent(results)
    fixed = settings(design.fixed, names_of(results))
    yield Heading("The study")
    yield doc.facts(
        (
            ("Method", design.method),
            ("Seeds", listed(design.seeds)),
            ("Set for every row", doc.sentence(fixed) if fixed else "nothing"),
            ("Cost as declared", design.cost or NOTHING),
            ("Stage runs", f"{saved.distinct} distinct, asked for {saved.asked} times"),
            (
                "Time in stage runs",
                f"{duration(saved.shared)}; every cell run alone would have taken {duration(saved.alone)} "
                f"({saved.alone - saved.shared:,.0f} stage-seconds saved)",
            ),
            *program_facts(results.columns[0].provenance, results.trained),
        )
    )


def _tables(measures: Measures) -> Iterator[Table]:
    """The tables of Markdown: measured beside reported, then for each block what it stands on."""
    for blocks in blocks_of(measures, BESIDE):
        heads = (f"{title_of(block, measures)}: {part}" for block in blocks for part in parts_of(block, measures))
        rows = (cells.main_row(row, blocks, measures) for row in measures.results.rows)
        yield doc.text_table(["", *heads], rows)
    for block in measures.blocks:
        headings, lines = cells.evidence(measures, block)
        texts = ([line[name] for name in headings] for line in lines)
        yield doc.text_table(headings, texts, title=title_of(block, measures))


def _summary(measures: Measures) -> Iterator[Table | Paragraph]:
    """For a terminal: the answer, its warnings, a compact table for each block, failures, what sharing saved."""
    yield from doc.paragraphs([answer(measures)], "answer")
    yield from doc.paragraphs(warnings(measures), "warning")
    for block in measures.blocks:
        rows = []
        for of in measures.of_block(block):
            reported, value = measures.reported(of), cells.measured(of)
            if not of.whole and of.values:  # which seeds are missing, and why, is said under the tables
                value = f"{cells.mean_sd(of)} {SURVIVORS} ({len(of.values)} of {of.planned})"
            paper = NOTHING if reported is None else cells.alone(reported)
            texts = (value, paper, cells.judged(measures.verdicts.get(of.key)), cells.effect(of, measures))
            rows.append((of.row.label, *texts, cells.probability(measures.comparisons.get(of.key))))
        kept = [place for place in range(len(SUMMARY)) if any(row[place] != NOTHING for row in rows)]
        lines = ([row[place] for place in kept] for row in rows)
        yield doc.text_table([SUMMARY[place] for place in kept], lines, title=title_of(block, measures))
    yield from doc.paragraphs((f"Failed: {line}" for line in failures(measures.results)), "failure")
    saved = spent(measures.results)
    if saved.distinct:
        time = f"{duration(saved.shared)} instead of {duration(saved.alone)}, {percent(saved.saved)} saved"
        yield Paragraph((f"{saved.distinct} stage runs served {saved.asked}: {time}",), "note")


def _article(measures: Measures) -> Iterator[Table]:
    """For LaTeX: the paper's table, then what each block of it stands on."""
    design, name = measures.results.design, f"tab:{slug(measures.results.design.study)}"
    for place, blocks in enumerate(blocks_of(measures, BESIDE_IN_PRINT)):
        words = [f"{design.study}, continued."] if place else [answer(measures), *warnings(measures)]
        parts = [[f"Measured (n={len(design.seeds)})", "Reported"][: 1 + is_reported(b, measures)] for b in blocks]
        beside, rows = list(zip(blocks, parts, strict=True)), list[list[Part]]()
        for row in measures.results.rows:
            columns: list[list[Part]] = [[row.label]]  # of several lines, where a cell lacks something
            for block, headings in beside:
                of = measures.get(row.label, block[0].label, block[1])
                value: list[Part] = [*cells.measured(of).split(", ")]
                if of is not None and of.values:
                    mark, letter = "" if of.whole else f" {SURVIVORS}", _letter(measures.verdicts.get(of.key))
                    lacking = [] if of.whole else cells.lacking(of).split(", ")
                    value = [doc.Text((f"{cells.mean_sd(of)}{mark}", letter)), *map(doc.small, lacking)]
                reported = measures.reported(of) if of else None
                both: list[list[Part]] = [value, [cells.alone(reported) if reported else NOTHING]]
                columns += both[: len(headings)]
            rows += map(list, zip_longest(*columns, fillvalue=""))
        yield doc.text_table(
            ["", *(heading for headings in parts for heading in headings)],
            rows,
            over=(
                ("", 1),
                *((title_of(b, measures), len(headings)) for b, headings in zip(blocks, parts, strict=True)),
            ),
            caption=" ".join([*words, KEY]),
            label=f"{name}-{place + 1}" if place else name,
        )
    for place, block in enumerate(measures.blocks, start=1):
        yield _printed_evidence(measures, block, f"{name}-evidence-{place}")
        yield from _printed_changes(measures, block, f"{name}-change-{place}")


def _letter(verdict: Verdict | None) -> Part:
    return doc.Text((LETTERS[verdict.kind],), "raised") if verdict else None


def _printed_evidence(measures: Measures, block: Block, name: str) -> Table:
    """Rows have numbers, by which others name them; where all have as many cases, the caption alone says how many."""
    every = measures.of_block(block)
    numbers = {of.row.label: str(place) for place, of in enumerate(every, start=1)}
    names, lines = cells.evidence(measures, block)
    headings = [heading for heading in names if heading in SHORT]
    counts = {of.cases.n for of in every if of.cases.sd is not None}
    rows = []
    for place, line in enumerate(lines, start=1):
        over_cases = line["SD over cases"].partition(" ")[0] if len(counts) == 1 else line["SD over cases"]
        narrow = {"": f"{place}. {line['']}", "SD over cases": over_cases}
        narrow["Compared with"] = numbers.get(line["Compared with"], NOTHING)
        rows.append([{**line, **narrow}[heading] for heading in headings])
    words = (
        f"{measures.results.design.study}, {title_of(block, measures)}: SD over "
        f"{f'{counts.pop()} test cases' if len(counts) == 1 else 'test cases'}, paired difference "
        "with its interval from the row whose number is given, p of the methods and Wilcoxon's of these models, after "
        "Holm"
        f"{', share of the target-supervised model measured and reported' if measures.shares else ''}."
    )
    return doc.text_table([SHORT[heading] for heading in headings], rows, caption=words, label=name)


def _printed_changes(measures: Measures, block: Block, name: str) -> Iterator[Table]:
    """Relative changes measured beside reported; no table where there are none."""
    every, seeds = measures.of_block(block), len(measures.results.design.seeds)
    numbers = {of.row.label: str(place) for place, of in enumerate(every, start=1)}
    rows: list[list[Part]] = []
    for of in every:
        if (change := measures.changes.get(of.key)) is None:
            continue
        row, letter = change.of.row, _letter(measures.verdicts.get(change.key))
        value: list[Part] = [doc.Text((cells.change(change), letter))]
        if change.seeds.mean is not None:  # below it how many seeds it is over, if not all, and its interval
            mark = "" if change.whole else f" {SURVIVORS}"
            lacking = "" if change.whole else f"{change.seeds.n} of {change.of.planned}"
            value = [doc.Text((f"{cells.relative(change.seeds.mean, change.seeds.sd)}{mark}", letter))]
            value += [doc.small(part) for part in (lacking, cells.change_interval(change)) if part]
        paper = cells.alone(change.reported) if change.reported else NOTHING
        columns: list[list[Part]] = [[f"{numbers[row.label]}. {row.label}"], [numbers[row.against]], value, [paper]]
        rows += map(list, zip_longest(*columns, fillvalue=""))
    if rows:
        words = (
            f"{measures.results.design.study}, {title_of(block, measures)}: relative change against the row whose "
            f"number is given, with its interval, measured and reported. {KEY}"
        )
        yield doc.text_table(["", "vs.", f"Change (n={seeds})", "Reported"], rows, caption=words, label=name)
