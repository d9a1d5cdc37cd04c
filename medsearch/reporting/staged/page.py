"""The page of a staged search; the page of each of its searches is a link away."""

from collections.abc import Mapping, Sequence

from medsearch.reporting.elements import (
    axis,
    badges,
    cell,
    data_facts,
    facts,
    heading,
    links,
    notes,
    program_facts,
    rounded_ends,
    strip,
    table,
    tiles,
    warned,
    words,
)
from medsearch.reporting.formats import carried
from medsearch.reporting.markup import Child, Markup, tag
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.search.columns import DICE, Tested
from medsearch.reporting.search.columns import tested as columns_of
from medsearch.reporting.search.tables import Row, counted_runs, spread
from medsearch.reporting.shell import document
from medsearch.reporting.staged.answer import answer, caption, frozen_row, rows, verdict, warnings
from medsearch.reporting.staged.knobs import knobs
from medsearch.reporting.staged.left import left
from medsearch.reporting.staged.results import Group, StagedResults
from medsearch.reporting.staged.tables import (
    measured,
    names_of,
    progress,
    settled,
    trials_of,
    tuned_by,
)
from medsearch.reporting.variance_components import CONFIDENCE
from medsearch.reporting.wording import NOTHING, listed, number, selection_rule
from medsearch.study.refinement import FROZEN


def page(results: StagedResults, files: Mapping[str, str]) -> str:
    """The whole page; `files` are the tables that it carries."""
    parts = {
        "Groups": _groups(results, files),
        "Knobs": knobs(results),
        "Refinement": _refinement(results),
        "Provenance": _provenance(results),
    }
    created = results.provenance.created
    return document(results.design.study, parts, opening=_opening(results), created=created, charts=False)


def _opening(results: StagedResults) -> Markup:
    design, origin = results.design, results.provenance
    marks = [(f"{origin.scale} scale", ""), (f"selection: {design.selection}", "")]
    marks += [("phantom cohort", "caution")] if origin.phantom else [(origin.cohort, "")]
    marks += [("not finished", "caution")] if results.next or (left(results) is None and results.refinement) else []
    return tag(
        "header",
        tag("p", tag("code", design.study), badges(marks), class_="kicker"),
        tag("h1", design.question),
        tag("p", words(answer(results)), class_="answer"),
        _tiles(results),
        warned(warnings(results)),
    )


def _tiles(results: StagedResults) -> Markup:
    done = sum(group.frozen is not None for group in results.groups)
    told = [("Groups frozen", f"{done} of {len(results.groups)}", trials_of(results))]
    row = frozen_row(results)
    known, words_of = metric_of(row.leading if row else DICE), full_words(row.leading if row else DICE)
    if row is not None and row.tested.n:
        told.append((f"Frozen point, {words_of}", spread(row.tested, known.digits), counted_runs(row.tested)))
    found = left(results)
    effect = found.comparison.effect if found and found.comparison else None
    if found is not None and found.worse:
        told.append(("Left on the table", "nothing", "the frozen point is better than the best near it"))
    elif found is not None and found.itself and not found.lost:
        told.append(("Left on the table", "nothing", "the frozen point is the best near it"))
    elif effect is not None:
        digits = known.digits
        between = (
            f"no interval: {effect.reason}"
            if effect.low is None
            else f"{CONFIDENCE:.0%} interval {effect.low:+.{digits}f} to {effect.high:+.{digits}f}"
        )
        told.append((f"Left on the table, {words_of}", f"{effect.estimate:+.{digits}f}", between))
    return tiles(told)


def _groups(results: StagedResults, files: Mapping[str, str]) -> Markup:
    head = ("Group", "Frozen", "Tuned by", "Value", "Trials", "Page")
    return tag(
        "section",
        heading("groups", "What was tuned, in this order"),
        table(head, [_group(results, group) for group in results.groups], style="stack"),
        notes(caption(results)),
        links(carried(files)),
    )


def _group(results: StagedResults, group: Group) -> Markup:
    why = f"trial {group.frozen.number}: {group.frozen.why}" if group.frozen else group.rule
    return tag(
        "tr",
        tag("th", group.name, scope="row"),
        cell("Frozen", words(settled(results, group)), tag("small", why)),
        cell("Tuned by", tuned_by(group)),
        cell("Value", measured(group)),
        cell("Trials", progress(group.search, group.trials)),
        cell("Page", _link(group.study, begun=group.search is not None)),
    )


def _link(study: str, *, begun: bool) -> Child:
    return tag("a", "its search", href=f"../../{study}/report/index.html") if begun else NOTHING


def _refinement(results: StagedResults) -> Markup | None:
    tested = rows(results)
    if results.refinement is None and not tested:
        return None
    metric = next((group.metric for group in reversed(results.groups)), "")
    columns, scale = _columns(results), _scale(tested)
    leading = metric_of(tested[0].leading if tested else DICE).heading
    dots = axis(f"{leading}, each seed", (f"{scale[0]:g}", f"{scale[1]:g}"))
    head = ("", dots, *(column.heading for column in columns), metric)
    study = results.refinement.study if results.refinement else results.groups[-1].study
    begun = bool(results.refinement and results.refinement.search) or bool(tested)
    return tag(
        "section",
        heading("refinement", "What was left on the table", verdict(results)),
        table(head, [_row(results, row, metric, scale) for row in tested], style="stack") if tested else None,
        tag("p", "All trials and pictures: ", _link(study, begun=begun), ".", class_="files") if begun else None,
    )


def _columns(results: StagedResults) -> tuple[Tested, ...]:
    """What the last search tested, without the second kinds of Dice."""
    last = results.refinement.search if results.refinement else results.groups[-1].search
    return tuple(column for column in columns_of(last) if column.name != "dice_volume") if last else ()


def _scale(tested: Sequence[Row]) -> tuple[float, float]:
    """The ends of the strips."""
    if not tested or tested[0].leading == DICE:
        return 0.0, 1.0
    return rounded_ends([value for row in tested for value in row.tested.values])


def _row(results: StagedResults, row: Row, metric: str, scale: tuple[float, float]) -> Markup:
    of, digits = row.tested, metric_of(row.leading).digits
    failed = tag("small", f"{of.failed} failed", class_="bad") if of.failed else None
    first, *others = _columns(results)
    value = spread(row.by_objective, metric_of(metric).digits)
    frozen = row == frozen_row(results)
    best = "Refined, best" if results.refinement else "Best (measured)"
    label = row.label if row.kind == "reference" else row.label.replace("Best (measured)", best)
    label += ", frozen" if frozen and row.label != FROZEN else ""
    return tag(
        "tr",
        tag("th", label, tag("small", f"trial {row.trial}") if row.trial is not None else None, scope="row"),
        tag("td", strip(of.values, of.mean, failed=of.failed, scale=scale, digits=digits), class_="plot"),
        cell(first.heading, spread(of, digits), tag("small", counted_runs(of)), failed),
        *(cell(column.heading, spread(row.test(column.metric), column.digits)) for column in others),
        cell(metric, value if row.kind != "reference" or frozen else NOTHING),
        class_="best" if frozen else None,
    )


def _provenance(results: StagedResults) -> Markup:
    design, origin, names = results.design, results.provenance, names_of(results)
    fixed = listed(f"{names[path].text} = {number(value)}" for path, value in design.fixed.items())
    told = (
        *data_facts(origin),
        ("Task", design.task),
        ("Selection rule", f"{design.selection}: {selection_rule(design.selection, origin.truth)}"),
        ("Seeds", listed(design.seeds)),
        ("Fixed by the study", words(fixed) if fixed else "nothing"),
        ("Cost as declared", design.cost or NOTHING),
        *program_facts(origin, results.trained),
    )
    return tag("section", heading("provenance", "Provenance"), facts(told))
