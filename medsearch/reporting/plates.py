"""Figures for print: matplotlib, as PNG and SVG. The same results give the same bytes."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 200  # per inch
INK, SOFT = "#22262b", "#d4d8dd"
SETTINGS: Mapping[str, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#6b737d",
    "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "legend.frameon": False,
    "svg.hashsalt": "medsearch", "svg.fonttype": "path",
}  # fmt: skip


@contextmanager
def printing() -> Iterator[None]:
    """The look of every printed figure."""
    from matplotlib import rc_context

    with rc_context(cast(Any, dict(SETTINGS))):
        yield


def saved(name: str, figure: "Figure") -> dict[str, bytes]:
    """`figure` as files: name to content."""
    files = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DOTS, metadata=metadata)
        figure.set_layout_engine("none")  # what the first file found fits the second as well
        files[f"{name}.{kind}"] = file.getvalue()
    return files


def legend(axes: "Axes", **more: Any) -> None:
    """Above the axes, in a line or more."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.04), "borderaxespad": 0}
    style: dict[str, Any] = {"fontsize": 8, "handlelength": 1.8, "columnspacing": 1.2, "handletextpad": 0.5}
    axes.legend(**{"ncols": 7, **place, **style, **more})


def unmathed(text: str) -> str:
    """`text` with no mathematics in it."""
    return text.replace("$", r"\$")
