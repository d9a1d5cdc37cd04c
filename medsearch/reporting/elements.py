"""Pieces that every page is made of: headings, tables, strips of seeds, runs, facts, places for charts."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medsearch.reporting.code import by_code
from medsearch.reporting.evidence import Provenance, Replicate
from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.metrics import metric_of
from medsearch.reporting.wording import NOTHING, counted, duration, html, score
from medsearch.stages.code import Trained

STRIP = 170  # px for Dice 0 to 1


def words(text: str) -> Markup:
    """A sentence of ours, with true indices on its λ."""
    return Markup(html(text))


def heading(anchor: str, title: str, lead: str = "") -> Markup:
    """A section's title with its anchor, and what the section is for."""
    return joined([tag("h2", title, id=anchor), tag("p", words(lead), class_="lead") if lead else None])


def table(
    head: Sequence[Child], rows: Sequence[Markup], *, style: str = "", over: Sequence[tuple[str, int]] = ()
) -> Markup:
    """A table that scrolls sideways rather than breaking the page; columns after the first hold numbers.

    `over`: a line above the head, of texts that span so many columns.
    """
    columns = [tag("th", cell, scope="col", class_="n" if place else None) for place, cell in enumerate(head)]
    spans = [tag("th", text, scope="colgroup", colspan=wide, class_="over" if text else "blank") for text, wide in over]
    lines = [tag("tr", *spans)] if spans else []
    body = tag("table", tag("thead", *lines, tag("tr", *columns)), tag("tbody", *rows), class_=style or None)
    return tag("div", body, class_="scroll")


def cell(name: str, *content: Child) -> Markup:
    """A cell that knows its column, for screens too narrow for columns."""
    return tag("td", *content, class_="n", data_name=name)


def badges(of: Iterable[tuple[str, str]]) -> Markup:
    """(text, kind) as badges; kinds are "", "good", "caution" and "bad"."""
    return joined(tag("span", text, class_=f"badge {kind}".strip()) for text, kind in of)


def tiles(of: Iterable[tuple[str, str, str]]) -> Markup:
    """(name, value, remark) as the large numbers at the top of a page."""
    entries = (tag("div", tag("dt", a), tag("dd", b, tag("small", c)), class_="tile") for a, b, c in of)
    return tag("dl", *entries, class_="tiles")


def notes(lines: Iterable[str]) -> Markup:
    """A caption, a line per matter; what failed stands out."""
    shown = (tag("li", words(line), class_="bad" if line.startswith("Failed") else None) for line in lines)
    return tag("ul", *shown, class_="notes")


def warned(lines: Iterable[str]) -> Markup:
    """What to beware of."""
    return tag("ul", *(tag("li", words(line)) for line in lines), class_="warnings")


def links(files: Iterable[tuple[str, str, str]]) -> Markup:
    """Files that the page carries: (name, media type, content in base64)."""
    found = (tag("a", name, href=f"data:{kind};base64,{data}", download=name) for name, kind, data in files)
    return tag("p", "The same as files: ", *(joined([link, " "]) for link in found), class_="files")


def strip(
    values: Sequence[float],
    mean: float | None,
    *,
    failed: int,
    reported: float | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    digits: int = 3,
) -> Markup:
    """A scale with a dot per seed, a bar at their mean, a cross at its start for each seed that failed.

    A reported value is a hollow diamond.
    """
    low, high = scale

    def at(value: float) -> float:
        return round(STRIP * (value - low) / (high - low), 1)

    ticks = [tag("line", x1=x, x2=x, y1=8, y2=16) for x in (0, STRIP / 2, STRIP)]
    dots = [tag("circle", cx=at(value), cy=12, r=4.5) for value in values]
    bar = [] if mean is None else [tag("line", x1=at(mean), x2=at(mean), y1=3, y2=21, class_="mean")]
    crosses = [tag("path", d=f"M{8 + 12 * i} 8l8 8m0-8l-8 8", class_="failed") for i in range(failed)]
    told = f"by seed: {', '.join(score(value, digits) for value in values) or 'none'}; {failed} failed"
    hollow = []
    if reported is not None:
        told += f"; reported {score(reported, digits)}"
        hollow = [tag("path", d=f"M{at(reported)} 4.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z", class_="reported")]
    base = tag("line", x1=0, x2=STRIP, y1=12, y2=12)
    drawn = (tag("title", told), base, *ticks, *hollow, *dots, *bar, *crosses)
    return tag("svg", *drawn, class_="strip", width=STRIP, height=24, role="img", aria_label=told)


def rounded_ends(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around all values, so that differences between them are seen."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    step = next(step for step in _STEPS if step >= (high - low) / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return round(first * step, 6), round((last if last > first else first + 1) * step, 6)


_STEPS = tuple(factor * 10.0**power for power in range(-3, 9) for factor in (1, 2, 5))


def axis(text: str, ends: tuple[str, str] = ("0", "1")) -> Markup:
    """The heading of a column of strips."""
    return tag("span", *(tag("span", part) for part in (ends[0], text, ends[1])), class_="axis")


def folded(title: str, head: Sequence[Child], rows: Sequence[Markup]) -> Markup | None:
    """A table that opens when it is asked for; none without rows."""
    return tag("details", tag("summary", title), table(head, rows, style="small")) if rows else None


def run_row(name: str, *cells: Child, seconds: float | None, reason: str | None) -> Markup:
    """A run with its time, and the reason of its failure on a line of its own."""
    row = [tag("th", name, scope="row"), *(tag("td", cell, class_="n") for cell in (*cells, duration(seconds)))]
    if not reason:
        return tag("tr", *row)
    told = tag("td", reason, class_="bad", colspan=len(row))
    return joined([tag("tr", *row, class_="open"), tag("tr", told, class_="reason")])


def tested(title: str, run: Replicate, metrics: Iterable[str], *more: Child) -> Markup:
    """A tested run with its scores in `metrics`, and `more` cells after them."""
    scores = (score(run.metrics.get(metric), metric_of(metric).digits) for metric in metrics)
    cells = (str(run.seed), state(run.state), *scores, *more)
    return run_row(title, *cells, seconds=run.seconds, reason=run.reason)


def state(of: str, more: str = "") -> Markup:
    """A run's state, in its colour."""
    return tag("span", of + more, class_={"cut": "caution", "failed": "bad"}.get(of))


def facts(of: Iterable[tuple[str, Child]]) -> Markup:
    """Names and values, one a line."""
    return tag("dl", *(joined([tag("dt", name), tag("dd", value)]) for name, value in of), class_="facts")


def data_facts(origin: Provenance) -> tuple[tuple[str, Child], ...]:
    """On which data the numbers stand."""
    kind = "synthetic phantom, no reproduction of a published number" if origin.phantom else "as given"
    skipped = (tag("div", f"{case.subject}: {case.problem}") for case in origin.skipped)
    return (
        ("Cohort", f"{origin.cohort}, {counted(origin.subjects, 'subject')} ({kind})"),
        ("Data fingerprint", tag("code", origin.data_fingerprint)),
        ("Skipped cases", joined(skipped) if origin.skipped else "none"),
    )


def program_facts(origin: Provenance, trained: Iterable[Trained] = ()) -> tuple[tuple[str, Child], ...]:
    """With which program, where and when, and by whose code the stages were trained."""
    stages = [tag("div", tag("code", code), f": {', '.join(what)}") for code, what in by_code(trained).items()]
    versions = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    return (
        ("Scale", origin.scale),
        ("Git commit", tag("code", origin.git_commit) if origin.git_commit else "none recorded"),
        ("Stages trained by", joined(stages) if stages else NOTHING),
        ("Versions", versions or NOTHING),
        ("Machine", origin.machine or NOTHING),
        ("Report made", origin.created or NOTHING),
    )


def chart(name: str, title: str, content: Mapping[str, Any], *, follow: bool = False) -> Markup:
    """A place for a chart and its data, which page.js brings together."""
    data = Markup(
        json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    )
    place = tag("div", id=name, class_="chart", role="img", aria_label=title, data_follow="1" if follow else None)
    return joined([place, tag("script", data, type="application/json", id=f"{name}-data")])
