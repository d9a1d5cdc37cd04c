"""The upper part of the page: question, answer, table, weights."""

from collections.abc import Mapping, Sequence

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
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.search import frontier
from medsearch.reporting.search.answer import answer, unfinished, warnings
from medsearch.reporting.search.caption import caption
from medsearch.reporting.search.columns import tested
from medsearch.reporting.search.files import SHARE, objectives, searched_by, shares, tables
from medsearch.reporting.search.front import front
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import (
    KnobRow,
    Row,
    best_trial,
    counted_runs,
    gain,
    other_knobs,
    runs,
    share_cell,
    spread,
    summary,
    weights,
)
from medsearch.reporting.search.trade import CHART, lines
from medsearch.reporting.variance_components import CONFIDENCE, Interval
from medsearch.reporting.wording import NOTHING, number, percent, score


def opening(results: SearchResults) -> Markup:
    """The question, the answer, its numbers, and what to beware of."""
    design, origin = results.design, results.provenance
    marks = [(f"{origin.scale} scale", ""), (f"selection: {design.selection}", "")]
    marks += [("phantom cohort", "caution")] if origin.phantom else [(origin.cohort, "")]
    marks += [("not finished", "caution")] if unfinished(results) else []
    return tag(
        "header",
        tag(
            "p",
            tag("code", design.study),
            badges(marks),
            class_="kicker",
        ),
        tag("h1", design.question),
        tag("p", words(answer(results)), class_="answer"),
        _tiles(results),
        warned(warnings(results)),
    )


def _tiles(results: SearchResults) -> Markup:
    best = next((row for row in summary(results) if row.kind == "best"), None)
    states = ("complete", "cut", "failed", "running")
    counts = ((len([t for t in results.trials if t.state == state]), state) for state in states)
    told: list[tuple[str, str, str]] = []
    of = front(results)
    if of is not None and of.trials:
        told.append(("On the front", f"{len(of.trials)} of {len(of.compared)}", "trials that no other beats"))
    if best is not None and best.tested.n:
        known = metric_of(best.leading)
        told.append((f"Best {full_words(best.leading)}", spread(best.tested, known.digits), runs(best.tested)))
        if best.share is not None:
            told.append(("Of target supervised", percent(best.share.estimate), _between(best.share)))
        compared = gain(results)
        if compared is not None and compared.effect is not None:
            effect, fewer = compared.effect, known.digits - 1
            between = " to ".join(f"{end:+.{fewer}f}" for end in effect.bounds or ())
            told.append(("Above no adaptation", f"{effect.estimate:+.{known.digits}f}", _interval(effect, between)))
    leader = best_trial(results)
    if leader is not None and not told:
        name = f"Best {results.design.value_words}{' so far' if unfinished(results) else ''}"
        told.append((name, score(leader.value, results.design.value_digits), f"trial {leader.number}, not tested"))
    ended = sum(trial.state != "running" for trial in results.trials)
    found = ", ".join(f"{count} {state}" for count, state in counts if count)
    told.append(("Trials", f"{ended} of {max(results.design.trials, ended)}", found))
    return tiles(told)


def _interval(of: Interval, bounds: str) -> str:
    """An interval with its bounds as text, or why there is none."""
    if of.wide:
        return of.reason
    return f"no interval: {of.reason}" if of.reason else f"{CONFIDENCE:.0%} interval {bounds}"


def _between(of: Interval) -> str:
    return _interval(of, "{:.0f}–{:.0f}%".format(*(100 * end for end in of.bounds)) if of.bounds else "")


def result(results: SearchResults) -> Markup:
    """The summary table with every seed as a dot, its caption, and the same as files."""
    columns, rows = tested(results), summary(results)
    by = () if results.design.several else objectives(results)  # of several, the front's table has them
    scale = _scale(results, rows)
    head: list[Child] = [""]
    if columns:
        name = metric_of(columns[0].metric).heading
        head.append(axis(f"{name}, each seed", (f"{scale[0]:g}", f"{scale[1]:g}")))
    head += [*(column.heading for column in columns), *([SHARE] * shares(results)), *by]
    return tag(
        "section",
        heading("result", "Result"),
        table(head, [_row(results, row, scale) for row in rows], style="stack") if rows else None,
        notes(caption(results)),
        links(carried(tables(results))),
    )


def _row(results: SearchResults, row: Row, scale: tuple[float, float]) -> Markup:
    columns = tested(results)
    by = () if results.design.several else zip(objectives(results), searched_by(results, row), strict=True)
    of = row.tested
    failed = tag("small", f"{of.failed} failed", class_="bad") if of.failed else None
    cells = [cell(column.heading, spread(row.test(column.metric), column.digits)) for column in columns]
    if columns:
        first = columns[0]
        dots = strip(of.values, of.mean, failed=of.failed, scale=scale, digits=first.digits)
        lead = cell(first.heading, spread(of, first.digits), tag("small", counted_runs(of)), failed)
        cells = [tag("td", dots, class_="plot"), lead, *cells[1:]]
    return tag(
        "tr",
        tag("th", row.label, tag("small", f"trial {row.trial}") if row.trial is not None else None, scope="row"),
        *cells,
        *([cell(SHARE, share_cell(row.share))] * shares(results)),
        *(cell(name, text) for name, text in by),
        class_="best" if row.kind == "best" else None,
    )


def _scale(results: SearchResults, rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the strips: 0 to 1 for Dice, elsewhere round numbers around every value."""
    if shares(results):
        return 0.0, 1.0
    return rounded_ends([value for row in rows for value in row.tested.values])


def trade(results: SearchResults, figures: Mapping[str, Markup]) -> Markup | None:
    """The front: its figure, its table, and how it was compared; None for a search with one objective."""
    of = front(results)
    if of is None:
        return None
    lead = f"What no trial beats in all of {of.ways}: whoever wants more of one gives up some of another."
    return tag(
        "section",
        heading("front", "Pareto front", lead),
        figures.get(CHART),
        frontier.drawn(results),
        notes(lines(results)),
    )


def knobs(results: SearchResults) -> Markup | None:
    """The best weights beside the published ones, and the other searched knobs."""
    weighed, others = weights(results), other_knobs(results)
    if not weighed and not others:
        return None
    keys = joined([tag("i", class_="key ours"), "best ", tag("i", class_="key"), "paper"])
    lead = "Only the ratios of loss weights act, so both are also shown as shares of their sum." if weighed else ""
    head = ("Knob", "Best (measured)", "Paper", "Share of the sum, best", "paper", keys)
    sources = dict.fromkeys(row.where for row in (*weighed, *others) if row.where)
    return tag(
        "section",
        heading("weights", "Weights found, beside the paper's" if weighed else "Knobs found", lead),
        table(head, [_knob_row(row) for row in (*weighed, *others)], style="stack"),
        tag("p", f"Paper: {'; '.join(sources)}.", class_="files") if sources else None,
    )


def _knob_row(row: KnobRow) -> Markup:
    frozen = None if row.searched else tag("small", "fixed by the study")
    ours, paper = (NOTHING if share is None else f"{share:.3f}" for share in (row.found_share, row.published_share))
    bars = [
        tag("div", class_=kind, style=f"width:{100 * share:.1f}%")
        for kind, share in (("bar ours", row.found_share), ("bar", row.published_share))
        if share is not None
    ]
    return tag(
        "tr",
        tag("th", Markup(row.knob.html), tag("small", row.knob.path), scope="row"),
        cell("Best (measured)", number(row.found), frozen),
        cell("Paper", number(row.published)),
        cell("Share of the sum, best", ours),
        cell("Share of the sum, paper", paper),
        tag("td", tag("div", *bars, class_="bars") if bars else None, class_="plot"),
    )
