"""Tables of a document as LaTeX and Markdown: what comes from outside stays text, whatever its letters are."""

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from medsearch.reporting import document as doc
from medsearch.reporting.document import Document
from medsearch.reporting.render import latex
from medsearch.reporting.render import text as texts
from tests.reporting.render.test_html import document


def tabled(text: str) -> Document:
    """A table of two columns, a heading over both, and a cell with a superscript."""
    raised = doc.Text((text, doc.Text(("a",), "raised")))
    table = doc.text_table((text, "b"), ((text, raised), ("c", doc.small(text))), over=((text, 2),), caption=text)
    table = replace(table, label="tab:x", title=text)
    return replace(document(text), article=(table,), article_notes=(text, "d"), tables=(table,), notes=(text,))


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_latex_has_its_lines_and_no_command_from_outside(text: str) -> None:
    lines = latex.render(tabled(text)).splitlines()
    plain = latex.render(tabled("x")).splitlines()
    assert len(lines) == len(plain)
    assert [line.count(" & ") for line in lines if line.endswith(r"\\")] == [0, 1, 1, 1]
    body = "\n".join(lines[1:])
    bare = re.sub(r"\\[&%$#_{}\\]", "", body)
    assert not re.findall("[%#]", bare)
    assert bare.count("{") == bare.count("}")
    assert all(" " <= one <= "~" or "¡" <= one <= "ž" or one == "\n" for one in body)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))))
def test_a_markdown_table_is_one_table_whatever_stands_in_it(text: str) -> None:
    tokens = MarkdownIt().enable("table").parse(texts.markdown_of(tabled(text)))
    assert sum(token.type == "table_open" for token in tokens) == 1
    assert sum(token.type in ("td_open", "th_open") for token in tokens) == 6
    assert not [token for token in tokens if token.type.startswith("html")]
