"""index.html: one file that opens from disk, shows everything, and never asks a network for anything.

plotly.js is inlined once, images and files are data URIs, and a content security policy forbids the rest. Whatever the
template puts in is escaped, and control characters, which no page may hold, are spelt out.
"""

import base64
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as resources
from pathlib import PurePath
from typing import TYPE_CHECKING

from medsearch.core.errors import spelt_out
from medsearch.reporting.document import ChartFigure, Document
from medsearch.reporting.render.plotly_charts import figure
from medsearch.reporting.wording import html

if TYPE_CHECKING:
    from jinja2 import Environment

MEDIA = {
    ".csv": "text/csv", ".md": "text/markdown", ".tex": "text/x-tex", ".json": "application/json", ".png": "image/png",
}  # fmt: skip


def render(document: Document, files: Mapping[str, bytes]) -> str:
    """The page; `files` are those of the report that it may carry, by name."""
    from markupsafe import Markup

    charts = any(isinstance(block, ChartFigure) for section in document.sections for block in section.blocks)
    style, script = (
        resources("medsearch.reporting.render").joinpath("templates", name).read_text(encoding="utf-8")
        for name in ("page.css", "page.js")
    )
    library = ""
    if charts:
        from plotly.offline import get_plotlyjs

        library = get_plotlyjs()
    page = _environment().get_template("page.html")
    return page.render(
        document=document, files=files, style=Markup(style), script=Markup(script), plotly=Markup(library)
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("medsearch.reporting.render"),
        autoescape=True,
        finalize=lambda value: spelt_out(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}

    def uri(media: str, content: bytes) -> str:
        return f"data:{media};base64,{base64.b64encode(content).decode()}"

    environment.filters |= {
        "kind": lambda of: type(of).__name__,
        "sentence": lambda text: Markup(html(spelt_out(text))),
        "knob": lambda name: Markup(spelt_out(name.html)),
        "plotly": lambda of: figure(of.chart, of.place),
        "carried": lambda name, files: uri(MEDIA[PurePath(name).suffix], files[name]),
        "uri": lambda image: uri(image.media, image.content),
    }  # type: ignore[operator]
    return environment
