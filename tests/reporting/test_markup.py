"""HTML of strings from outside: escaped, and free of control characters."""

import html
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from medsearch.reporting.markup import Markup, tag


@given(st.text(), st.text())
def test_no_string_from_outside_leaves_its_place(text: str, value: str) -> None:
    made = tag("p", text, title=value)
    assert isinstance(made, Markup)
    assert made.count("<") == made.count(">") == 2
    assert made.count('"') == 2
    assert not [one for one in made if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") and one not in "\t\n\r"]


def test_escape_sequences_are_shown() -> None:
    assert html.unescape(tag("td", "a\x1b[31m<b>\u202e")) == r"<td>a\x1b[31m<b>\u202e</td>"
    assert tag("pre", "one\n\ttwo") == "<pre>one\n\ttwo</pre>"
