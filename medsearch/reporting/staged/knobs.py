"""The knobs of a staged search on its page."""

import math

from medsearch.reporting.elements import STRIP, axis, cell, heading, table
from medsearch.reporting.markup import Markup, tag
from medsearch.reporting.staged.results import StagedResults
from medsearch.reporting.staged.tables import KnobLine, knob_lines
from medsearch.reporting.wording import listed, number
from medsearch.study.record import Axis


def knobs(results: StagedResults) -> Markup:
    """Every searched knob: where in its domain it was frozen, beside the refined and the published value."""
    lead = "Where each knob was frozen in its domain (dot), and the paper's value (diamond)."
    refined = any(line.refined is not None for line in knob_lines(results))
    head = ("Knob", axis("In its domain", ("", "")), "Frozen", *(["Refined"] if refined else []), "Paper")
    lines = [_knob(line, refined=refined) for line in knob_lines(results)]
    where = results.design.published_in
    source = tag("p", f"Paper: {where}.", class_="files") if where and results.design.published else None
    return tag("section", heading("knobs", "Knobs", lead), table(head, lines, style="stack"), source)


def _knob(line: KnobLine, *, refined: bool) -> Markup:
    return tag(
        "tr",
        tag("th", Markup(line.knob.html), tag("small", f"{line.knob.path}, group {line.group}"), scope="row"),
        tag("td", _place(line), class_="plot"),
        cell("Frozen", number(line.frozen)),
        cell("Refined", number(line.refined)) if refined else None,
        cell("Paper", number(line.published)),
    )


def _place(line: KnobLine) -> Markup:
    """The domain as a line with its ends; of a choice, its options."""
    of = line.axis
    if of.low is None or of.high is None:
        return tag("small", f"one of {listed(number(option) for option in of.options)}")
    told = f"{number(of.low)} to {number(of.high)}{', logarithmic' if of.log else ''}"
    drawn = [tag("title", told), tag("line", x1=0, x2=STRIP, y1=12, y2=12)]
    drawn += [tag("line", x1=x, x2=x, y1=8, y2=16) for x in (0, STRIP)]
    paper, frozen = _at(of, line.published), _at(of, line.frozen)
    if paper is not None:
        drawn.append(tag("path", d=f"M{paper} 4.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z", class_="reported"))
    if frozen is not None:
        drawn.append(tag("circle", cx=frozen, cy=12, r=4.5))
    drawing = tag("svg", *drawn, class_="strip", width=STRIP, height=24, role="img", aria_label=told)
    ends = (tag("span", number(end)) for end in (of.low, of.high))
    return tag("div", drawing, tag("span", *ends, class_="axis"))


def _at(of: Axis, value: object) -> float | None:
    if of.low is None or of.high is None or not isinstance(value, int | float):
        return None
    low, high, here = (math.log(x) for x in (of.low, of.high, value)) if of.log else (of.low, of.high, value)
    return round(STRIP * min(1.0, max(0.0, (here - low) / (high - low))), 1)
