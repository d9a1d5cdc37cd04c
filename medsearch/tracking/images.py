"""Files as they are sent: under the name that they are to have, pictures scaled down where a small one is wanted."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medsearch.tracking.reading import File

SIDE = 512
"""Pixels of the longer side of a small picture; MLflow's pages draw them at 120 to 225."""


@contextmanager
def prepared(file: File) -> Iterator[Path]:
    """A path that bears the file's name and holds what is to be sent."""
    if not file.label:
        yield file.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.label
        if not file.small or not _shrunk(file.path, path):
            shutil.copyfile(file.path, path)
        yield path


def _shrunk(picture: Path, small: Path) -> bool:
    """Write `picture` scaled down as WebP; whether it is a picture at all."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as image:
            image.thumbnail((SIDE, SIDE))
            image.save(small, "WEBP", quality=90)
    except UnidentifiedImageError:
        return False
    return True
