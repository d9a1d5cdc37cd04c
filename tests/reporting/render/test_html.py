"""The page of a document with strings from outside in every place: escaped, and free of control characters."""

import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.reporting import document as doc
from medsearch.reporting.document import Document, Section, Table, TableCell, Text
from medsearch.reporting.render import html
from medsearch.reporting.wording import KnobName
from tests.reporting.outline import Outline

FILES = {"table.csv": b"a,b\n"}


def document(text: str) -> Document:
    """`text` wherever a document holds text."""
    parts = (
        text, KnobName(f"a.{text}", text, weight=True), doc.sentence(text), doc.small(text), doc.code(text),
        Text((text,), "badge", "bad", title=text), Text((text,), link=text), doc.Ruler(text, text, text),
        doc.Strip(words=text, ends=(text,)),
    )  # fmt: skip
    row = doc.TableRow(cells=(doc.label(*parts), TableCell(parts, text)), remarks=(text,), failed=True)
    blocks = (
        Table(head=(text, *parts), rows=(row,), over=((text, 2),), folded=text), doc.Notes((text,)),
        doc.Findings(((text, "bad", text),)), doc.Paragraph(parts), doc.Heading(text), doc.facts([(text, parts)]),
        doc.Gallery(text, (doc.Image(words=text, missing=text), doc.Image(words=text, caption=text, media="a/b"))),
        doc.Files(("table.csv",)),
    )  # fmt: skip
    return Document(
        name=text, question=text, answer=text, badges=((text, ""),), tiles=((text, text, text),), warnings=(text,),
        sections=(Section("Result", text, text, blocks),), created=text, tables=(), notes=(), summary=(), sheets={},
        record="",
    )  # fmt: skip


def shape(page: str) -> list[tuple[str, list[str]]]:
    """Every element with the names of its attributes."""
    return [(name, sorted(attributes)) for name, attributes in Outline(page).elements]


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1).filter(lambda text: not text.startswith("Failed")))
def test_no_string_from_outside_leaves_its_place(text: str) -> None:
    page, plain = html.render(document(text), FILES), html.render(document("x"), FILES)
    assert shape(page) == shape(plain)
    assert Outline(page).faults == []
    assert not [one for one in page if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") and one not in "\t\n\r"]


def test_text_is_shown_as_it_is_and_escape_sequences_are_spelt_out() -> None:
    hostile = '<i onclick="x">&</i>\x1b[31m\u202e'
    outline = Outline(html.render(document(hostile), FILES))
    shown = '<i onclick="x">&</i>\\x1b[31m\\u202e'
    assert outline.text.count(shown) >= 20
    assert shown in outline.attributes("title")
    assert shown in outline.attributes("data-name")
    assert not [attributes for name, attributes in outline.elements if name == "i"]


def test_numbers_and_drawings_have_their_places() -> None:
    strip = doc.strip([0.25, 0.75], 0.5, failed=1, reported=0.1)
    table = Table(head=("", "a"), rows=(doc.TableRow(cells=(doc.label("r"), doc.drawing(strip)), best=True),))
    shown = replace(document("x"), sections=(Section("Result", "x", blocks=(table,)),))
    outline = Outline(html.render(shown, {}))
    circles = [float(a["cx"]) for name, a in outline.elements if name == "circle"]
    assert circles == [42.5, 127.5]
    (label,) = outline.attributes("aria-label")[1:]
    assert label == "by seed: 0.250, 0.750; 1 failed; reported 0.100"
    assert [a["class"] for name, a in outline.elements if name == "path"] == ["reported", "failed"]
