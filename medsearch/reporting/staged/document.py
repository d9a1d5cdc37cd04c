"""The report of a staged search as a document; the page of each of its searches is a link away.

The refinement ranks without the bounds by which groups froze, so whether its best keeps them is said beside the answer.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from medsearch.reporting import document as doc
from medsearch.reporting.document import Document, Notes, Paragraph, Part, Section, Table, TableCell
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.power import forecast
from medsearch.reporting.provenance import (
    badges,
    code_line,
    data_facts,
    ground_warnings,
    other_code,
    program_facts,
    provisional,
)
from medsearch.reporting.results import GroupResults, SearchResults, StagedResults
from medsearch.reporting.search.document import measured_row, scale_of, summary_table
from medsearch.reporting.search.narrative import unfinished
from medsearch.reporting.search.tables import (
    DICE,
    TestedRow,
    best_knobs,
    best_row,
    best_trial,
    counted_runs,
    spread,
    summary,
    tested,
)
from medsearch.reporting.staged.refinement_gain import left
from medsearch.reporting.storage import json_text
from medsearch.reporting.variance_components import CONFIDENCE
from medsearch.reporting.variance_components import HOW as INTERVALS
from medsearch.reporting.wording import (
    NOTHING,
    KnobName,
    counted,
    gathered,
    knob_names,
    listed,
    number,
    score,
    selection_rule,
    settings,
)
from medsearch.study.record.headers import FROZEN, Axis

GROUP_HEADINGS = ("Group", "Frozen", "Tuned by", "Value", "Trials")
KNOB_HEADINGS = ("Knob", "Group", "Frozen", "Refined", "Paper")


@dataclass(frozen=True)
class KnobLine:
    """A searched knob: where it was frozen, where the refinement's best has it, and what the paper reports."""

    knob: KnobName
    group: GroupResults
    axis: Axis
    frozen: Any = None
    refined: Any = None
    published: Any = None


def document(results: StagedResults) -> Document:
    """The report of a staged search, finished or not."""
    design, origin = results.design, results.provenance
    waiting = results.next or (left(results) is None and results.refinement)
    groups = doc.text_table(GROUP_HEADINGS, (group_cells(results, group) for group in results.groups))
    tested_rows = (summary_table(results.last, rows(results), frozen_row(results)),) if results.last else ()
    knobs: Iterator[tuple[Part, ...]] = (
        (line.knob, line.group.name, *map(number, (line.frozen, line.refined, line.published)))
        for line in knob_lines(results)
    )
    ending = f"Refinement: {verdict(results)}" if results.refinement else verdict(results)
    return Document(
        name=design.study,
        question=design.question,
        answer=answer(results),
        badges=badges([origin], [design.selection], finished=not waiting, scale=origin.scale),
        tiles=tuple(_tiles(results)),
        warnings=warnings(results),
        sections=tuple(_sections(results)),
        created=origin.created,
        tables=(groups, doc.text_table(KNOB_HEADINGS, knobs), *tested_rows),
        notes=caption(results),
        summary=(
            *doc.paragraphs([answer(results).removesuffix(verdict(results)).strip()], "answer"),
            *doc.paragraphs(warnings(results), "warning"),
            groups,
            *(table for table in tested_rows if table.rows),
            *doc.paragraphs([ending], "answer"),
        ),
        sheets={"table.csv": table_csv(results)},
        record=record(results),
    )


def rows(results: StagedResults) -> tuple[TestedRow, ...]:
    """What the last search tested; "Frozen" first, where there is a refinement."""
    every = summary(results.last) if results.last else ()
    return tuple(sorted(every, key=lambda row: row.label != FROZEN))


def frozen_row(results: StagedResults) -> TestedRow | None:
    """The row of the frozen point: the refinement's own; without one, the last group's finalist that was frozen."""
    last = results.groups[-1].frozen
    if results.refinement is None:
        return next((row for row in rows(results) if last and row.trial == last.number), None)
    return next((row for row in rows(results) if row.label == FROZEN), None)


def names_of(results: StagedResults) -> dict[str, KnobName]:
    """The short name of every knob that the study mentions."""
    own = [knob for group in results.groups for knob in (*group.space, *group.fixed)]
    return knob_names([*results.design.weights, *own, *results.design.fixed])


def knob_lines(results: StagedResults) -> Iterator[KnobLine]:
    """Every searched knob, in the order of the groups."""
    names, point, published = names_of(results), results.point, results.design.published
    last = results.refinement.search if results.refinement else None
    refined = best_knobs(last) if last and last.finalists else {}
    for group in results.groups:
        for knob, axis in group.space.items():
            yield KnobLine(names[knob], group, axis, point.get(knob), refined.get(knob), published.get(knob))


def group_cells(results: StagedResults, group: GroupResults) -> tuple[str, ...]:
    """A group as text, under `GROUP_HEADINGS`: the value is of what was frozen, or of the best so far."""
    names, of = names_of(results), group.frozen
    if of is not None:
        frozen, rests = settings(of.knobs, names), f"n={of.seeds}"
        if of.failed:
            planned = f"n={of.seeds} of {of.seeds + of.failed}" if of.seeds else "the trial alone"
            rests = f"{planned}, {of.failed} failed"
        value = f"{score(of.value)} ({rests})"
    else:
        frozen = f"{listed(names[knob].text for knob in group.space)}: not yet"
        best = best_trial(group.search) if group.search else None
        value = f"{score(best.value)} so far" if best else NOTHING
    return group.name, frozen, tuned_by(group), value, progress(group.search, group.trials)


def tuned_by(group: GroupResults) -> str:
    """The metric, its stage where that is not the last one, and its direction where less is better."""
    of = f" of {group.scored_stage}" if group.scored_stage else ""
    return f"{group.metric}{of}{', lowest' if group.minimised else ''}"


def progress(search: SearchResults | None, planned: int) -> str:
    """How many trials ended, and how: `5 of 8 (1 cut, 1 running)`."""
    if search is None:
        return f"0 of {planned}"
    states = [trial.state for trial in search.trials]
    counts = ", ".join(f"{states.count(of)} {of}" for of in ("cut", "failed", "running") if of in states)  # type: ignore[arg-type]
    ended = len(states) - states.count("running")
    return f"{ended} of {max(planned, ended)}{f' ({counts})' if counts else ''}"


def answer(results: StagedResults) -> str:
    """What was frozen, what it is worth, and what was left on the table; or how far the study is."""
    behind, names = results.next, names_of(results)
    if behind is not None:
        done = [settings(group.frozen.knobs, names) for group in results.groups if group.frozen]
        ended = progress(behind.search, behind.trials)
        so_far = f"{listed(done)} so far; " if done else ""
        return f"No answer yet: {so_far}group {behind.name!r} has ended {ended} trials."
    row, worth = frozen_row(results), ""
    if row is not None and row.tested.n:
        value = spread(row.tested, metric_of(row.leading).digits)
        worth = f", with a {full_words(row.leading)} of {value} ({counted(row.tested.n, 'seed')})"
    groups, point = counted(len(results.groups), "group"), settings(results.point, names)
    return f"Tuned in {groups}, {results.design.method} stands at {point}{worth}. {verdict(results)}".strip()


def verdict(results: StagedResults) -> str:
    """What the refinement says of the frozen point, or why nothing is said of it."""
    of, gain = results.refinement, left(results)
    if gain is not None:
        return gain.sentence
    if of is None:
        return "No refinement: what was left on the table is not known."
    ended = progress(of.search, of.trials)
    return f"What was left on the table is not known yet: the refinement has ended {ended} trials."


@gathered
def warnings(results: StagedResults) -> Iterator[str]:
    """What must stand beside the answer, not below it."""
    yield from ground_warnings(results.provenance, results.design.selection)
    if results.refused:
        yield f"{results.refused[0].upper()}{results.refused[1:]}."
    yield from other_code(results.trained)
    yield from (line for line, broken in _bounds(results) if broken)
    for group in results.groups:
        of = group.frozen
        if of is not None and of.failed:
            whole = "; the value is its trial's, under the first seed alone" if not of.seeds else ""
            yield f"Group {group.name} froze trial {of.number}, which failed on {counted(of.failed, 'seed')}{whole}."
        if group.overtaken:
            yield f"Group {group.name}: {group.overtaken}."
    last = results.refinement.search if results.refinement else None
    missing = unfinished(last) if last else ""
    yield from provisional(f"{missing} of the refinement" if missing else "")


@gathered
def caption(results: StagedResults) -> Iterator[str]:
    """How to read the tables, one line per matter."""
    design, names, refined, gain = results.design, names_of(results), results.refinement, left(results)
    yield (
        "Each group was searched with what the groups before it froze; knobs of later groups kept the value that the "
        "study fixed, or the method's own."
    )
    for group in results.groups:
        own = settings(group.fixed, names)
        yield f"{group.name}: by {tuned_by(group)}, {group.rule}{f'; for this group alone {own}' if own else ''}."
    yield f"Model selection ({design.selection}): {selection_rule(design.selection, results.provenance.truth)}."
    yield from code_line(results.trained)
    if refined is None:
        return
    axes = [axis for group in results.groups for knob, axis in group.space.items() if knob in refined.knobs]
    kinds = {"choice" if axis.low is None else "log" if axis.log else "even" for axis in axes}
    factor = number(refined.factor)
    reach = {
        "log": f"on logarithmic axes from 1/{factor} to {factor} times the frozen value",
        "even": f"on even axes over 1/{factor} of the domain's width",
        "choice": "among all choices",
    }
    words = full_words(next((row.leading for row in rows(results)), DICE))
    yield (
        f"The refinement moves {counted(len(refined.knobs), 'knob')} together around the frozen point, which is its "
        f"first trial: {listed(how for kind, how in reach.items() if kind in kinds)}. It has ended "
        f"{progress(refined.search, refined.trials)} trials. Left on the table: mean difference of {words}, its best "
        "minus the frozen point, over the test cases and seeds that both have."
    )
    if gain is not None and gain.comparison is not None and (effect := gain.comparison.effect) is not None:
        yield f"No interval: {effect.reason}." if effect.reason else f"{INTERVALS}."
        if more := forecast([gain.comparison], metric_of(gain.leading)):
            yield f"{more}."
    yield from (line for line, broken in _bounds(results) if not broken)


def _bounds(results: StagedResults) -> Iterator[tuple[str, bool]]:
    """A line for each bound that a group has, and whether the refinement's best breaks it.

    The metric of an earlier stage is another one, though it may have the same name.
    """
    refined = results.refinement
    if refined is None:
        return
    best = best_row(refined.search) if refined.search else None
    trial = f", trial {best.trial}," if best else ""
    for group in results.groups:
        if (bound := group.bound) is None:
            continue
        value = None if group.scored_stage else refined.metrics.get(bound.metric)
        if value is None:
            yield f"Bounds are not kept by the refinement: {group.name}'s {bound.metric} was not measured in it.", False
        else:
            where, measured = "within" if bound.holds(value) else "outside", f"{bound.metric} {number(value)}"
            yield (
                f"The refined best{trial} is {where} {group.name}'s bound: {measured} ({bound.words}).",
                not bound.holds(value),
            )


def _tiles(results: StagedResults) -> Iterator[tuple[str, str, str]]:
    searches = [*(group.search for group in results.groups), results.refinement and results.refinement.search]
    trials = counted(sum(len(search.trials) for search in searches if search), "trial")
    done = sum(group.frozen is not None for group in results.groups)
    yield "Groups frozen", f"{done} of {len(results.groups)}", trials
    row, gain = frozen_row(results), left(results)
    metric = row.leading if row else DICE
    digits, words = metric_of(metric).digits, full_words(metric)
    if row is not None and row.tested.n:
        yield f"Frozen point, {words}", spread(row.tested, digits), counted_runs(row.tested)
    effect = gain.comparison.effect if gain and gain.comparison else None
    if gain is not None and gain.worse:
        yield "Left on the table", "nothing", "the frozen point is better than the best near it"
    elif gain is not None and gain.itself and not gain.lost:
        yield "Left on the table", "nothing", "the frozen point is the best near it"
    elif effect is not None:
        interval = f"no interval: {effect.reason}"
        if effect.low is not None:
            interval = f"{CONFIDENCE:.0%} interval {effect.low:+.{digits}f} to {effect.high:+.{digits}f}"
        yield f"Left on the table, {words}", f"{effect.estimate:+.{digits}f}", interval


def _sections(results: StagedResults) -> Iterator[Section]:
    """The sections of the page, in their order."""
    head, groups = (*GROUP_HEADINGS, "Page"), []
    for group in results.groups:
        name, frozen, *others = group_cells(results, group)
        why = f"trial {group.frozen.number}: {group.frozen.why}" if group.frozen else group.rule
        link = _link(group.study) if group.search is not None else NOTHING
        cells = [
            doc.label(name),
            TableCell((doc.sentence(frozen), doc.small(why)), "Frozen"),
            *(TableCell((part,), heading) for part, heading in zip((*others, link), head[2:], strict=True)),
        ]
        groups.append(doc.TableRow(cells=tuple(cells)))
    table = Table(head=head, rows=tuple(groups), style="stack")
    files = doc.Files(("table.csv", "table.md", "results.json"))
    yield Section("Groups", "What was tuned, in this order", blocks=(table, Notes(caption(results)), files))
    yield _knobs(results)
    if results.refinement is not None or rows(results):
        yield _refinement(results)
    design, origin = results.design, results.provenance
    fixed = settings(design.fixed, names_of(results))
    facts = (
        *data_facts(origin),
        ("Task", design.task),
        ("Selection rule", f"{design.selection}: {selection_rule(design.selection, origin.truth)}"),
        ("Seeds", listed(design.seeds)),
        ("Fixed by the study", doc.sentence(fixed) if fixed else "nothing"),
        ("Cost as declared", design.cost or NOTHING),
        *program_facts(origin, results.trained),
    )
    yield Section("Provenance", "Provenance", blocks=(doc.facts(facts),))


def _link(study: str) -> Part:
    return doc.Text(("its search",), link=f"../../{study}/report/index.html")


def _knobs(results: StagedResults) -> Section:
    """Every searched knob: where in its domain it was frozen, beside the refined and the published value."""
    every, lines = tuple(knob_lines(results)), []
    shown = ("Frozen", *(["Refined"] if any(line.refined is not None for line in every) else []), "Paper")
    for line in every:
        values = {"Frozen": line.frozen, "Refined": line.refined, "Paper": line.published}
        numbers = (TableCell((number(values[name]),), name) for name in shown)
        axis = line.axis
        domain: Part = doc.small(f"one of {listed(number(option) for option in axis.options)}")
        if axis.low is not None and axis.high is not None:
            frozen = _place(axis, line.frozen)
            domain = doc.Strip(
                words=f"{number(axis.low)} to {number(axis.high)}{', logarithmic' if axis.log else ''}",
                values=() if frozen is None else (frozen,),
                reported=_place(axis, line.published),
                ends=(number(axis.low), number(axis.high)),
            )
        name = doc.label(line.knob, doc.small(f"{line.knob.path}, group {line.group.name}"))
        lines.append(doc.TableRow(cells=(name, doc.drawing(domain), *numbers)))
    where = results.design.published_in
    source = Paragraph((f"Paper: {where}.",), "aside") if where and results.design.published else None
    table = Table(head=("Knob", doc.Ruler("", "In its domain", ""), *shown), rows=tuple(lines), style="stack")
    lead = "Where each knob was frozen in its domain (dot), and the paper's value (diamond)."
    return Section("Knobs", "Knobs", lead, (table, source))


def _place(axis: Axis, value: object) -> float | None:
    """Of a value on a strip, px, never beyond its ends; None of what is no number."""
    if axis.low is None or axis.high is None or not isinstance(value, int | float):
        return None
    low, high, here = (math.log(x) if axis.log else x for x in (axis.low, axis.high, value))
    return doc.STRIP * min(1.0, max(0.0, (here - low) / (high - low)))


def _refinement(results: StagedResults) -> Section:
    """What the last search tested, the frozen point first."""
    every, frozen, lines = rows(results), frozen_row(results), []
    metric = next((group.metric for group in reversed(results.groups)), "")
    columns = tested(results.last) if results.last else ()
    columns = tuple(column for column in columns if column.name != "dice_volume")  # no second kinds of Dice
    scale = scale_of(every)
    for row in every:
        value = spread(row.by_objective, metric_of(metric).digits)
        more = (TableCell((value if row.kind != "reference" or row == frozen else NOTHING,), metric),)
        title = row.label
        if results.refinement and row.kind != "reference":
            title = title.replace("Best (measured)", "Refined, best")
        title += ", frozen" if row == frozen and row.label != FROZEN else ""
        lines.append(measured_row(row, columns, scale=scale, more=more, best=row == frozen, title=title))
    strips = doc.ruler(f"{metric_of(every[0].leading if every else DICE).heading}, each seed", scale)
    head: tuple[Part, ...] = ("", strips, *(column.heading for column in columns), metric)
    study = results.refinement.study if results.refinement else results.groups[-1].study
    begun = bool(results.refinement and results.refinement.search) or bool(every)
    blocks = (
        Table(head=head, rows=tuple(lines), style="stack") if lines else None,
        Paragraph(("All trials and pictures: ", _link(study), "."), "aside") if begun else None,
    )
    return Section("Refinement", "What was left on the table", verdict(results), blocks)


def table_csv(results: StagedResults) -> list[list[object]]:
    """table.csv: a line for each knob, with the group that froze it, numbers in full."""
    head = ["group", "study", "knob", "frozen", "refined", "published", "metric", "value", "seeds", "trial", "trials"]
    lines: list[list[object]] = [[*head]]
    for line in knob_lines(results):
        group, of = line.group, line.group.frozen
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
