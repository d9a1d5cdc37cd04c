"""The page's pictures, carried inside it."""

import base64
import struct
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from medsearch.reporting.elements import heading
from medsearch.reporting.evidence import Picture
from medsearch.reporting.markup import Markup, joined, tag

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


def pictures(shown: Sequence[Picture], folder: Path) -> Markup | None:
    """Every picture, inside the page, those of one title together.

    A relative path starts at `folder`, or else at the working directory.
    """
    if not shown:
        return None
    order = list(dict.fromkeys(picture.title for picture in shown))
    grouped = groupby(sorted(shown, key=lambda p: order.index(p.title)), key=lambda p: p.title)
    return tag(
        "section", heading("pictures", "Pictures"), *(_group(title, tuple(found), folder) for title, found in grouped)
    )


def _group(title: str, found: tuple[Picture, ...], folder: Path) -> Markup:
    shown = (_picture(picture, _found(picture, folder)) for picture in found)
    return joined([tag("h3", title[:1].upper() + title[1:]), tag("div", *shown, class_="pictures")])


def _found(picture: Picture, folder: Path) -> Path:
    beside = folder / picture.path
    return beside if beside.is_file() else Path(picture.path)


def _picture(picture: Picture, path: Path) -> Markup:
    """The picture; a note in its place when the file cannot be shown."""
    kind = IMAGES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        why = "is not there" if kind else "is no png, jpg or svg"
        return tag("div", f"{picture.title}: the picture {path.name} {why}.", class_="missing")
    content = path.read_bytes()
    width, height = _png_size(content) if kind == "image/png" else (None, None)
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    image = tag("img", src=source, alt=picture.note or picture.title, width=width, height=height, loading="lazy")
    return tag("figure", image, tag("figcaption", picture.note) if picture.note else None)


def _png_size(content: bytes) -> tuple[int, int] | tuple[None, None]:
    """Width and height from a PNG's header."""
    return struct.unpack(">II", content[16:24]) if content[12:16] == b"IHDR" else (None, None)
