"""Pictures that stages stored: their titles, and the files themselves for a page that carries them."""

import struct
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from medsearch.reporting.document import Gallery, Image
from medsearch.reporting.evidence import Picture

MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}

TITLES = {
    "translations": "Translations",
    "residuals": "Residuals",
    "predictions": "Predicted over true masks",
    "self_training": "Before and after self-training",
    "attention": "Attention of the most confident heads",
    "attention_translation": "Attention of the most confident heads, translation",
    "attention_segmentation": "Attention of the most confident heads, segmentation",
}
"""In the order of a page; others follow under their own names."""


def title_of(stem: str) -> str:
    """The title of a picture's file."""
    return TITLES.get(stem, stem)


def place_of(title: str) -> int:
    """Where pictures of that title come on a page."""
    titles = list(TITLES.values())
    return titles.index(title) if title in titles else len(titles)


def galleries(shown: Sequence[Picture], folder: Path) -> tuple[Gallery, ...]:
    """Every picture, those of one title together; a relative path starts at `folder`, or else where we are."""
    order = list(dict.fromkeys(picture.title for picture in shown))
    grouped = groupby(sorted(shown, key=lambda p: order.index(p.title)), key=lambda p: p.title)
    return tuple(Gallery(title[:1].upper() + title[1:], tuple(_image(p, folder) for p in of)) for title, of in grouped)


def _image(picture: Picture, folder: Path) -> Image:
    """The picture; a note in its place when the file cannot be shown."""
    beside = folder / picture.path
    path = beside if beside.is_file() else Path(picture.path)
    media = MEDIA.get(path.suffix.lower(), "")
    words = picture.note or picture.title
    if not media or not path.is_file():
        why = "is not there" if media else "is no png, jpg or svg"
        return Image(words=words, missing=f"{picture.title}: the picture {path.name} {why}.")
    content = path.read_bytes()
    size = struct.unpack(">II", content[16:24]) if content[12:16] == b"IHDR" else None  # of a PNG's header
    return Image(words=words, caption=picture.note, media=media, content=content, size=size)
