"""index.html: one file that opens from disk, shows everything, and never asks a network for anything.

plotly.js is inlined once, images are data URIs, and a content security policy forbids the rest.
"""

from collections.abc import Mapping
from importlib.resources import files
from string import Template

from medsearch.reporting.markup import Markup, joined, tag


def document(study: str, parts: Mapping[str, Markup | None], *, opening: Markup, created: str, charts: bool) -> str:
    """The whole page: its opening, a link to each part, the parts. `charts`: whether any part holds one."""
    shown = {name: part for name, part in parts.items() if part is not None}
    links = (tag("a", name, href=f"#{name.lower()}") for name in shown)
    main = tag("main", tag("nav", *links, aria_label="Sections"), *shown.values())
    footer = tag("footer", f"medsearch · {study} · {created}")
    return Template(_own("page.html")).substitute(
        title=tag("title", f"{study} · medsearch").removeprefix("<title>").removesuffix("</title>"),
        style=_own("page.css"),
        body=joined([opening, main, footer]),
        plotly=_plotly() if charts else "",
        script=_own("page.js"),
    )


def _own(name: str) -> str:
    return files("medsearch.reporting").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    code: str = get_plotlyjs()
    return code
