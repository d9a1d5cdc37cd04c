"""HTML that cannot be broken from outside: every string is escaped unless it was built here."""

from collections.abc import Iterable
from html import escape

from medsearch.core.errors import spelt_out

EMPTY = frozenset({"img", "br", "line", "circle", "path", "rect", "meta"})  # elements that never have content


class Markup(str):
    """Finished HTML. Only this module, and text from this package's own files, may become Markup."""

    __slots__ = ()


Child = str | Markup | None


def tag(name: str, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element. Strings among the children are escaped; `class_` and `data_x` become `class` and `data-x`.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    start = f"<{name}{''.join(_attribute(*item) for item in attributes.items())}"
    return Markup(f"{start} />" if name in EMPTY else f"{start}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Several pieces in a row; None among them is nothing."""
    return Markup("".join(c if isinstance(c, Markup) else _text(c) for c in children if c is not None))


def _text(text: str) -> str:
    """Control characters, which no page may hold, are spelt out."""
    return escape(spelt_out(text))


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_text(str(value))}"'
