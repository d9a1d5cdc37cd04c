"""The upper part of the page: question, answer, table, weights."""

from collections.abc import Sequence

from medsearch.reporting import statistics
from medsearch.reporting.answer import answer, unfinished, warnings
from medsearch.reporting.caption import caption
from medsearch.reporting.files import downloads
from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.results import SearchResults
from medsearch.reporting.tables import (
    KnobRow,
    Row,
    best_trial,
    counted_runs,
    other_knobs,
    runs,
    share_cell,
    spread,
    summary,
    weights,
)
from medsearch.reporting.wording import NOTHING, html, number, percent, score

STRIP = 170  # px for Dice 0 to 1


def words(text: str) -> Markup:
    """A sentence of ours, with true indices on its λ."""
    return Markup(html(text))


def heading(anchor: str, title: str, lead: str = "") -> Markup:
    """A section's title with its anchor, and what the section is for."""
    return joined([tag("h2", title, id=anchor), tag("p", words(lead), class_="lead") if lead else None])


def table(head: Sequence[Child], rows: Sequence[Markup], *, style: str = "") -> Markup:
    """A table that scrolls sideways rather than breaking the page; columns after the first hold numbers."""
    columns = [tag("th", cell, scope="col", class_="n" if place else None) for place, cell in enumerate(head)]
    body = tag("table", tag("thead", tag("tr", *columns)), tag("tbody", *rows), class_=style or None)
    return tag("div", body, class_="scroll")


def cell(name: str, *content: Child) -> Markup:
    """A cell that knows its column, for screens too narrow for columns."""
    return tag("td", *content, class_="n", data_name=name)


def opening(results: SearchResults) -> Markup:
    """The question, the answer, its numbers, and what to beware of."""
    design, origin = results.design, results.provenance
    badges = [(f"{origin.scale} scale", ""), (f"selection: {design.selection}", "")]
    badges += [("phantom cohort", "caution")] if origin.phantom else [(origin.cohort, "")]
    badges += [("not finished", "caution")] if unfinished(results) else []
    return tag(
        "header",
        tag(
            "p",
            tag("code", design.study),
            *(tag("span", text, class_=f"badge {kind}".strip()) for text, kind in badges),
            class_="kicker",
        ),
        tag("h1", design.question),
        tag("p", words(answer(results)), class_="answer"),
        _tiles(results),
        tag("ul", *(tag("li", words(line)) for line in warnings(results)), class_="warnings"),
    )


def _tiles(results: SearchResults) -> Markup:
    best = next((row for row in summary(results) if row.kind == "best"), None)
    states = ("complete", "cut", "failed", "running")
    counts = ((len([t for t in results.trials if t.state == state]), state) for state in states)
    tiles: list[tuple[str, str, str]] = []
    if best is not None and best.dice.n:
        tiles.append(("Best test Dice", spread(best.dice), runs(best.dice)))
        if best.share is not None:
            tiles.append(("Of target supervised", percent(best.share.estimate), _between(best)))
        reference = results.reference(results.design.no_adaptation)
        gain = statistics.gain(best.replicates, reference.replicates) if reference else None
        if gain is not None:
            between = "" if gain.low is None else f"95% interval {gain.low:+.2f} to {gain.high:+.2f}"
            tiles.append(("Above no adaptation", f"{gain.estimate:+.3f}", between))
    leader = best_trial(results)
    if leader is not None and not tiles:
        tiles.append(("Best validation Dice so far", score(leader.value), f"trial {leader.number}, not tested"))
    ended = sum(trial.state != "running" for trial in results.trials)
    told = ", ".join(f"{count} {state}" for count, state in counts if count)
    tiles.append(("Trials", f"{ended} of {max(results.design.trials, ended)}", told))
    entries = (tag("div", tag("dt", a), tag("dd", b, tag("small", c)), class_="tile") for a, b, c in tiles)
    return tag("dl", *entries, class_="tiles")


def _between(row: Row) -> str:
    if row.share is None or row.share.low is None or row.share.high is None:
        return "no interval: too few cases"
    return f"95% interval {100 * row.share.low:.0f}–{100 * row.share.high:.0f}%"


def result(results: SearchResults) -> Markup:
    """The summary table with every seed as a dot, its caption, and the same as files."""
    axis = tag("span", *(tag("span", text) for text in ("0", "Dice, each seed", "1")), class_="axis")
    head = ("", axis, "Test Dice", "Whole volume", "ASSD (mm)", "Share of target supervised", "Validation Dice")
    links = (
        tag("a", name, href=f"data:{kind};base64,{data}", download=name) for name, kind, data in downloads(results)
    )
    lines = (tag("li", words(line), class_="bad" if line.startswith("Failed") else None) for line in caption(results))
    return tag(
        "section",
        heading("result", "Result"),
        table(head, [_row(row) for row in summary(results)], style="stack") if summary(results) else None,
        tag("ul", *lines, class_="notes"),
        tag("p", "The same as files: ", *(joined([link, " "]) for link in links), class_="files"),
    )


def _row(row: Row) -> Markup:
    failed = tag("small", f"{row.dice.failed} failed", class_="bad") if row.dice.failed else None
    return tag(
        "tr",
        tag("th", row.label, tag("small", f"trial {row.trial}") if row.trial is not None else None, scope="row"),
        tag("td", _strip(row), class_="plot"),
        cell("Test Dice", spread(row.dice), tag("small", counted_runs(row.dice)), failed),
        cell("Whole volume", spread(row.dice_volume)),
        cell("ASSD (mm)", spread(row.assd, 2)),
        cell("Share of target supervised", share_cell(row.share)),
        cell("Validation Dice", spread(row.validation)),
        class_="best" if row.kind == "best" else None,
    )


def _strip(row: Row) -> Markup:
    """Dice from 0 to 1 with a dot per seed, a bar at their mean, and a cross at 0 for each that failed."""
    ticks = [tag("line", x1=x, x2=x, y1=8, y2=16) for x in (0, STRIP / 2, STRIP)]
    dots = [tag("circle", cx=round(STRIP * value, 1), cy=12, r=4.5) for value in row.dice.values]
    x = None if row.dice.mean is None else round(STRIP * row.dice.mean, 1)
    mean = [] if x is None else [tag("line", x1=x, x2=x, y1=3, y2=21, class_="mean")]
    crosses = [tag("path", d=f"M{8 + 12 * i} 8l8 8m0-8l-8 8", class_="failed") for i in range(row.dice.failed)]
    told = f"Dice by seed: {', '.join(score(value) for value in row.dice.values) or 'none'}; {row.dice.failed} failed"
    base = tag("line", x1=0, x2=STRIP, y1=12, y2=12)
    drawn = (tag("title", told), base, *ticks, *dots, *mean, *crosses)
    return tag("svg", *drawn, class_="strip", width=STRIP, height=24, role="img", aria_label=told)


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
