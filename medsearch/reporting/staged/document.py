"""The report of a staged search as a document; the page of each of its searches is a link away."""

import math
from collections.abc import Iterator

from medsearch.reporting import document as doc
from medsearch.reporting.document import Document, Notes, Paragraph, Part, Section, Table, TableCell
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.provenance import badges, data_facts, program_facts
from medsearch.reporting.results import GroupResults, StagedResults
from medsearch.reporting.search.document import measured_row, scale_of, seeds_heading, summary_table
from medsearch.reporting.search.tables import DICE, TestedRow, counted_runs, spread
from medsearch.reporting.search.tables import tested as columns_of
from medsearch.reporting.staged.narrative import (
    GROUP_HEADINGS,
    KnobLine,
    answer,
    caption,
    frozen_row,
    group_cells,
    knob_lines,
    measured,
    names_of,
    progress,
    rows,
    settled,
    trials_of,
    tuned_by,
    verdict,
    warnings,
)
from medsearch.reporting.staged.refinement_gain import left
from medsearch.reporting.storage import json_text
from medsearch.reporting.variance_components import CONFIDENCE
from medsearch.reporting.wording import NOTHING, listed, number, selection_rule, settings
from medsearch.study.record.headers import FROZEN, Axis

KNOB_HEADINGS = ("Knob", "Group", "Frozen", "Refined", "Paper")


def document(results: StagedResults) -> Document:
    """What `results` say, finished or not."""
    design, origin = results.design, results.provenance
    unfinished = results.next or (left(results) is None and results.refinement)
    groups = doc.text_table(GROUP_HEADINGS, (group_cells(results, group) for group in results.groups))
    tested = (summary_table(results.last, rows(results), frozen_row(results)),) if results.last else ()
    knobs: Iterator[tuple[Part, ...]] = (
        (line.knob, line.group, *map(number, (line.frozen, line.refined, line.published)))
        for line in knob_lines(results)
    )
    said = f"Refinement: {verdict(results)}" if results.refinement else verdict(results)
    return Document(
        name=design.study,
        question=design.question,
        answer=answer(results),
        badges=badges([origin], [design.selection], finished=not unfinished, scale=origin.scale),
        tiles=tuple(_tiles(results)),
        warnings=warnings(results),
        sections=tuple(_sections(results)),
        created=origin.created,
        tables=(groups, doc.text_table(KNOB_HEADINGS, knobs), *tested),
        notes=caption(results),
        summary=(
            *doc.paragraphs([answer(results).removesuffix(verdict(results)).strip()], "answer"),
            *doc.paragraphs(warnings(results), "warning"),
            groups,
            *(table for table in tested if table.rows),
            *doc.paragraphs([said], "answer"),
        ),
        sheets={"table.csv": table_csv(results)},
        record=record(results),
    )


def _tiles(results: StagedResults) -> Iterator[tuple[str, str, str]]:
    done = sum(group.frozen is not None for group in results.groups)
    yield "Groups frozen", f"{done} of {len(results.groups)}", trials_of(results)
    row, found = frozen_row(results), left(results)
    metric = row.leading if row else DICE
    known, words_of = metric_of(metric), full_words(metric)
    if row is not None and row.tested.n:
        yield f"Frozen point, {words_of}", spread(row.tested, known.digits), counted_runs(row.tested)
    effect = found.comparison.effect if found and found.comparison else None
    if found is not None and found.worse:
        yield "Left on the table", "nothing", "the frozen point is better than the best near it"
    elif found is not None and found.itself and not found.lost:
        yield "Left on the table", "nothing", "the frozen point is the best near it"
    elif effect is not None:
        digits = known.digits
        between = (
            f"no interval: {effect.reason}"
            if effect.low is None
            else f"{CONFIDENCE:.0%} interval {effect.low:+.{digits}f} to {effect.high:+.{digits}f}"
        )
        yield f"Left on the table, {words_of}", f"{effect.estimate:+.{digits}f}", between


def _sections(results: StagedResults) -> Iterator[Section]:
    """Of the page."""
    head = ("Group", "Frozen", "Tuned by", "Value", "Trials", "Page")
    groups = Table(head=head, rows=tuple(_group(results, group) for group in results.groups), style="stack")
    files = doc.Files(("table.csv", "table.md", "results.json"))
    yield Section("Groups", "What was tuned, in this order", blocks=(groups, Notes(caption(results)), files))
    yield _knobs(results)
    if results.refinement is not None or rows(results):
        yield _refinement(results)
    yield Section("Provenance", "Provenance", blocks=(doc.facts(_facts(results)),))


def _group(results: StagedResults, group: GroupResults) -> doc.TableRow:
    why = f"trial {group.frozen.number}: {group.frozen.why}" if group.frozen else group.rule
    found = (
        doc.label(group.name),
        TableCell((doc.sentence(settled(results, group)), doc.small(why)), "Frozen"),
        TableCell((tuned_by(group),), "Tuned by"),
        TableCell((measured(group),), "Value"),
        TableCell((progress(group.search, group.trials),), "Trials"),
        TableCell((_link(group.study) if group.search is not None else NOTHING,), "Page"),
    )
    return doc.TableRow(cells=found)


def _link(study: str) -> Part:
    return doc.Text(("its search",), link=f"../../{study}/report/index.html")


def _knobs(results: StagedResults) -> Section:
    """Every searched knob: where in its domain it was frozen, beside the refined and the published value."""
    every = tuple(knob_lines(results))
    shown = ("Frozen", *(["Refined"] if any(line.refined is not None for line in every) else []), "Paper")
    lines = []
    for line in every:
        values = {"Frozen": line.frozen, "Refined": line.refined, "Paper": line.published}
        numbers = (TableCell((number(values[name]),), name) for name in shown)
        name = doc.label(line.knob, doc.small(f"{line.knob.path}, group {line.group}"))
        lines.append(doc.TableRow(cells=(name, doc.drawing(_place(line)), *numbers)))
    where = results.design.published_in
    source = Paragraph((f"Paper: {where}.",), "aside") if where and results.design.published else None
    table = Table(head=("Knob", doc.Ruler("", "In its domain", ""), *shown), rows=tuple(lines), style="stack")
    lead = "Where each knob was frozen in its domain (dot), and the paper's value (diamond)."
    return Section("Knobs", "Knobs", lead, (table, source))


def _place(line: KnobLine) -> Part:
    """The domain as a line with its ends; of a choice, its options."""
    of, frozen = line.axis, _at(line.axis, line.frozen)
    if of.low is None or of.high is None:
        return doc.small(f"one of {listed(number(option) for option in of.options)}")
    return doc.Strip(
        words=f"{number(of.low)} to {number(of.high)}{', logarithmic' if of.log else ''}",
        values=() if frozen is None else (frozen,),
        reported=_at(of, line.published),
        ends=(number(of.low), number(of.high)),
    )


def _at(of: Axis, value: object) -> float | None:
    """From 0 to the width of a strip."""
    if of.low is None or of.high is None or not isinstance(value, int | float):
        return None
    low, high, here = (math.log(x) for x in (of.low, of.high, value)) if of.log else (of.low, of.high, value)
    return doc.STRIP * min(1.0, max(0.0, (here - low) / (high - low)))


def _refinement(results: StagedResults) -> Section:
    tested = rows(results)
    metric = next((group.metric for group in reversed(results.groups)), "")
    columns = columns_of(results.last) if results.last else ()
    columns = tuple(column for column in columns if column.name != "dice_volume")  # no second kinds of Dice
    scale, frozen = scale_of(tested), frozen_row(results)
    lines = []
    for row in tested:
        is_frozen = row == frozen
        value = spread(row.by_objective, metric_of(metric).digits)
        more = (TableCell((value if row.kind != "reference" or is_frozen else NOTHING,), metric),)
        title = _title(results, row, frozen=is_frozen)
        lines.append(measured_row(row, columns, scale=scale, more=more, best=is_frozen, title=title))
    leading = tested[0].leading if tested else DICE
    head: tuple[Part, ...] = ("", seeds_heading(leading, scale), *(column.heading for column in columns), metric)
    study = results.refinement.study if results.refinement else results.groups[-1].study
    begun = bool(results.refinement and results.refinement.search) or bool(tested)
    blocks = (
        Table(head=head, rows=tuple(lines), style="stack") if lines else None,
        Paragraph(("All trials and pictures: ", _link(study), "."), "aside") if begun else None,
    )
    return Section("Refinement", "What was left on the table", verdict(results), blocks)


def _title(results: StagedResults, row: TestedRow, *, frozen: bool) -> str:
    best = "Refined, best" if results.refinement else "Best (measured)"
    title = row.label if row.kind == "reference" else row.label.replace("Best (measured)", best)
    return title + (", frozen" if frozen and row.label != FROZEN else "")


def _facts(results: StagedResults) -> Iterator[doc.Fact]:
    design, origin = results.design, results.provenance
    fixed = settings(design.fixed, names_of(results))
    yield from data_facts(origin)
    yield "Task", design.task
    yield "Selection rule", f"{design.selection}: {selection_rule(design.selection, origin.truth)}"
    yield "Seeds", listed(design.seeds)
    yield "Fixed by the study", doc.sentence(fixed) if fixed else "nothing"
    yield "Cost as declared", design.cost or NOTHING
    yield from program_facts(origin, results.trained)


def table_csv(results: StagedResults) -> list[list[object]]:
    """table.csv: a line for each knob, with the group that froze it, numbers in full."""
    head = ["group", "study", "knob", "frozen", "refined", "published", "metric", "value", "seeds", "trial", "trials"]
    by_name = {group.name: group for group in results.groups}
    lines: list[list[object]] = [[*head]]
    for line in knob_lines(results):
        group = by_name[line.group]
        of = group.frozen
        frozen = (of.value, of.seeds, of.number) if of else (None, None, None)
        values = (line.frozen, line.refined, line.published)
        lines.append([group.name, group.study, line.knob.path, *values, group.metric, *frozen, group.trials])
    return lines


def record(results: StagedResults) -> str:
    """results.json: everything that was put in, and what was made of it under "derived"."""
    derived = {
        "answer": answer(results),
        "verdict": verdict(results),
        "warnings": warnings(results),
        "caption": caption(results),
        "left": left(results),
    }
    return json_text(results, derived)
