"""The tables of a document for an article, by booktabs and nothing else; all text in them is escaped."""

from functools import cache
from typing import TYPE_CHECKING, Any

from medsearch.reporting.document import Document, Part, TableCell, Text
from medsearch.reporting.wording import KnobName, tex

if TYPE_CHECKING:
    from jinja2 import Environment


class Latex(str):
    """LaTeX as it stands: the template puts it in without escaping it again."""

    __slots__ = ()


def render(document: Document) -> str:
    """One `table` environment for each table, and the notes, if there are any, under the first one's label."""
    return _environment().get_template("tables.tex").render(document=document)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("medsearch.reporting.render"),
        finalize=lambda value: value if isinstance(value, Latex) else tex(str(value)),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"latex": latex, "line": _line, "rules": _rules, "as_is": Latex}
    return environment


def latex(part: Part) -> Latex:
    """A part of a cell as LaTeX; drawings, which an article cannot hold, come to nothing."""
    match part:
        case KnobName():
            return Latex(part.tex)
        case Text():
            text = "".join(map(latex, part.parts))
            if part.form == "raised":
                return Latex(rf"\textsuperscript{{{text}}}")
            return Latex(rf"\scriptsize {text}" if part.form == "small" else text)
        case str():
            return Latex(tex(part))
    return Latex()


def _line(cells: Any) -> Latex:
    """A line of a table, of parts or of cells."""
    parts = (of.parts if isinstance(of, TableCell) else (of,) for of in cells)
    return Latex(" & ".join("".join(map(latex, of)) for of in parts))


def _rules(over: tuple[tuple[str, int], ...]) -> Latex:
    """Texts that span columns, and a rule below each of them."""
    spans, rules, end = [], [], 0
    for text, wide in over:
        spans.append(rf"\multicolumn{{{wide}}}{{c}}{{{tex(text)}}}" if text else "")
        rules += [rf"\cmidrule(lr){{{end + 1}-{end + wide}}}"] if text else []
        end += wide
    return Latex(f"{' & '.join(spans)} \\\\\n    {' '.join(rules)}")
