"""A report as a document: what it says and shows, without any format, which `render` gives it.

    Document(name=..., answer=..., sections=(Section("Result", "Result", blocks=(Table(...), Notes(...))),), ...)

A page shows the sections. A README, an article and a terminal have less room: their tables are fewer and of text alone.
What a cell or a paragraph holds are parts: strings, names of knobs, text that stands out, small drawings.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medsearch.reporting.charts import AnyChart
from medsearch.reporting.results import Picture
from medsearch.reporting.wording import KnobName, score

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
"""What a page can show, by the end of a file's name."""
STRIP = 170.0
"""The width of a small drawing, px."""
Tone = Literal["", "good", "caution", "bad"]
Form = Literal["", "sentence", "small", "code", "badge", "mark", "raised", "line", "key"]


@dataclass(frozen=True)
class Text:
    """Text that stands out.

    form: "sentence": one of ours, whose λ_rec is a symbol with an index; "raised": a superscript; "line": on a line of
    its own; "key": behind a square in the colour of `tone`. title: what a pointer over it is told. link: its address.
    """

    parts: tuple["Part", ...]
    form: Form = ""
    tone: str = ""
    title: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A small drawing of values on a scale; places run from 0 to `STRIP`.

    words: the same in words. ends: what stands below its ends, if anything. mean: a bar. reported: a hollow diamond.
    failed: how many crosses at its start.
    """

    words: str
    values: tuple[float, ...] = ()
    mean: float | None = None
    reported: float | None = None
    failed: int = 0
    ticks: tuple[float, ...] = (0.0, STRIP)
    ends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ruler:
    """The heading of a column of strips: what stands at the scale's low end, what it is, and its high end."""

    low: str
    words: str
    high: str


@dataclass(frozen=True)
class Shares:
    """Two horizontal bars, of what was found and of what the paper prints; None: no bar."""

    found: float | None
    published: float | None


Part = str | KnobName | Text | Strip | Ruler | Shares | None
Fact = tuple[str, Part | tuple[Part, ...]]
"""A name and its value."""
CellForm = Literal["number", "label", "drawing", "first", "alone", "absent"]


@dataclass(frozen=True)
class TableCell:
    """A cell of a table.

    name: of its column, for screens too narrow for columns. form: "first", "alone": of several, or the only one, under
    a heading that spans columns; "absent": that nobody asked for. span: columns.
    """

    parts: tuple[Part, ...]
    name: str = ""
    form: CellForm = "number"
    span: int = 1


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A line of a table. remarks: on lines of their own below it; failed: that they say why it failed."""

    cells: tuple[TableCell, ...]
    best: bool = False
    remarks: tuple[str, ...] = ()
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under headings; columns after the first hold numbers.

    over: a line above the headings, of texts that span so many columns. title: what stands above it. style: on a page.
    folded: what opens it on a page, if it is closed at first. caption and label: in an article.
    """

    head: tuple[Part, ...]
    rows: tuple[TableRow, ...]
    over: tuple[tuple[str, int], ...] = ()
    title: str = ""
    style: str = ""
    folded: str = ""
    caption: str = ""
    label: str = ""


@dataclass(frozen=True)
class Notes:
    """A caption, a line per matter; lines that begin with "Failed" stand out."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """Sentences behind a word that judges: (word, its tone, sentence)."""

    entries: tuple[tuple[str, Tone, str], ...]


@dataclass(frozen=True)
class Paragraph:
    """Text between other things. form: on a page "lead" below a heading, "aside" below a table; else in a terminal."""

    parts: tuple[Part, ...]
    form: Literal["lead", "aside", "answer", "warning", "failure", "note"] = "lead"


@dataclass(frozen=True)
class Heading:
    """A heading within a section; level: of HTML, h3 or h4."""

    text: str
    level: Literal[3, 4] = 3


@dataclass(frozen=True)
class Facts:
    """Names and their values, a line each, as a definition list."""

    entries: tuple[tuple[str, tuple[Part, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class ChartFigure:
    """A chart. title: what it shows, in words. follow: a pointer over one line dims the others. wide: it scrolls."""

    name: str
    title: str
    chart: AnyChart
    place: int = 0  # of its plots
    follow: bool = False
    scrolls: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Printed:
    """A figure of pictures, shown as it is printed; words: what is in it."""

    name: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture that the page carries. missing: why it cannot be shown; empty where it can."""

    words: str
    caption: str = ""
    media: str = ""
    content: bytes = b""
    size: tuple[int, int] | None = None  # width, height
    missing: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures under a common title, side by side."""

    title: str
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Files:
    """Links to files of the report, by name, which the page carries."""

    names: tuple[str, ...]


Block = Table | Notes | Findings | Paragraph | Heading | Facts | ChartFigure | Printed | Gallery | Files


@dataclass(frozen=True)
class Section:
    """A part of a page. name: in the page's list of sections, and its anchor in small letters."""

    name: str
    title: str
    lead: str = ""
    blocks: tuple[Block | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Document:
    """All that a report says.

    badges: (text, tone). tiles: (name, value, remark), the large numbers at the top. sections: of the page. tables and
    notes: of Markdown. article: tables for LaTeX, whose notes stand under them. summary: for a terminal. sheets: lines
    of values, by the name of their csv file. figures: to be printed, by name. record: the text of results.json.
    """

    name: str
    question: str
    answer: str
    badges: tuple[tuple[str, Tone], ...]
    tiles: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    created: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    article: tuple[Table, ...] = ()
    article_notes: tuple[str, ...] = ()
    summary: tuple[Table | Paragraph, ...]
    sheets: Mapping[str, Sequence[Sequence[object]]]
    figures: Mapping[str, AnyChart] = field(default_factory=dict)
    record: str


def sentence(text: str) -> Text:
    """A sentence of ours, with true indices on its λ."""
    return Text((text,), "sentence")


def small(*parts: Part, tone: Tone = "") -> Text:
    """In small letters, on a line of its own."""
    return Text(parts, "small", tone)


def code(text: str) -> Text:
    """Text in a monospaced font: keys, commits, fingerprints."""
    return Text((text,), "code")


def label(*parts: Part) -> TableCell:
    """The first cell of a row, which names it."""
    return TableCell(parts, form="label")


def drawing(of: Part) -> TableCell:
    """A cell that holds a strip or bars instead of a number."""
    return TableCell((of,), form="drawing")


def paragraphs(lines: Iterable[str], form: Literal["answer", "warning", "failure", "note"]) -> tuple[Paragraph, ...]:
    """A paragraph for each line; a terminal shows it in the style of `form`."""
    return tuple(Paragraph((line,), form) for line in lines)


def text_table(head: Sequence[Part], rows: Iterable[Sequence[Part]], **more: Any) -> Table:
    """A table whose cells are one part each, most of them text."""
    lines = (TableRow(cells=tuple(TableCell((part,)) for part in row)) for row in rows)
    return Table(head=tuple(head), rows=tuple(lines), **more)


def facts(entries: Iterable[Fact]) -> Facts:
    """`Facts` of entries whose values are one part or several."""
    return Facts(tuple((name, value if isinstance(value, tuple) else (value,)) for name, value in entries))


def strip(
    values: Sequence[float],
    mean: float | None,
    *,
    failed: int,
    reported: float | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    digits: int = 3,
) -> Strip:
    """A dot per seed, a bar at their mean, a cross for each seed that failed; a reported value is a hollow diamond."""
    low, high = scale

    def at(value: float) -> float:
        return STRIP * (value - low) / (high - low)

    told = f"by seed: {', '.join(score(value, digits) for value in values) or 'none'}; {failed} failed"
    return Strip(
        words=told if reported is None else f"{told}; reported {score(reported, digits)}",
        values=tuple(at(value) for value in values),
        mean=None if mean is None else at(mean),
        reported=None if reported is None else at(reported),
        failed=failed,
        ticks=(0.0, STRIP / 2, STRIP),
    )


def ruler(words: str, scale: tuple[float, float]) -> Ruler:
    """The heading of a column of strips that are drawn on `scale`."""
    return Ruler(f"{scale[0]:g}", words, f"{scale[1]:g}")


def galleries(shown: Sequence[Picture], folder: Path) -> tuple[Gallery, ...]:
    """Every picture, those of one title together; a note in its place where the file cannot be shown.

    A relative path starts at `folder`, or else where we are.
    """
    by_title: dict[str, list[Image]] = {}
    for picture in shown:
        beside = folder / picture.path
        path = beside if beside.is_file() else Path(picture.path)
        media, words = IMAGES.get(path.suffix.lower(), ""), picture.note or picture.title
        if media and path.is_file():
            content = path.read_bytes()
            size = struct.unpack(">II", content[16:24]) if content[12:16] == b"IHDR" else None  # of a PNG's header
            image = Image(words=words, caption=picture.note, media=media, content=content, size=size)
        else:
            why = "is not there" if media else "is no png, jpg or svg"
            image = Image(words=words, missing=f"{picture.title}: the picture {path.name} {why}.")
        by_title.setdefault(picture.title, []).append(image)
    return tuple(Gallery(title[:1].upper() + title[1:], tuple(images)) for title, images in by_title.items())


def rounded_ends(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around all values, so that differences between them are seen."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    steps = (factor * 10.0**power for power in range(-3, 9) for factor in (1, 2, 5))
    step = next(step for step in steps if step >= (high - low) / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return round(first * step, 6), round((last if last > first else first + 1) * step, 6)
