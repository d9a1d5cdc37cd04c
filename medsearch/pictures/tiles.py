"""What the test stage shows: of every kind a montage to look at, and single tiles to compose figures of.

pictures/<name>.png                      a column per case, a line per image
tiles/<kind>/<subject>-<what>.png        one image, voxels enlarged to squares
tiles/index.json                         [{"kind", "subject", "what", "file", "note"}], `file` relative to tiles/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsearch.core.records import write_json
from medsearch.pictures.panels import Panel, draw, reach, rendered

INDEX = "index.json"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image of a case: `what` is its line in the montage, `note` what a caption may add."""

    subject: str
    what: str
    panel: Panel
    note: str = ""


class Gallery:
    """Writes pictures and tiles into a stage's folder."""

    def __init__(self, directory: Path) -> None:
        self.pictures, self.tiles = directory / "pictures", directory / "tiles"
        for folder in (self.pictures, self.tiles):
            folder.mkdir(exist_ok=True)
        self.index: list[dict[str, str]] = []

    def add(self, kind: str, tiles: Sequence[Tile], *, name: str = "", titles: Sequence[str] = ()) -> None:
        """Keep tiles of a kind, and their montage by its name (the kind unless given); every case has the same images.

        `titles` of the montage's columns are the subjects unless given.
        """
        from matplotlib.image import imsave

        if not tiles:
            return
        cases: dict[str, list[Tile]] = {}
        for tile in tiles:
            cases.setdefault(tile.subject, []).append(tile)
        columns = [[tile.panel for tile in case] for case in cases.values()]
        lines = [tile.what for tile in tiles[: len(columns[0])]]
        draw(self.pictures / f"{name or kind}.png", columns, lines=lines, titles=list(titles or cases))
        span = reach([tile.panel for tile in tiles])
        (self.tiles / kind).mkdir(exist_ok=True)
        for tile in tiles:
            subject, what = (re.sub(r"[^\w.]+", "-", name) for name in (tile.subject, tile.what))
            file = f"{kind}/{subject}-{what}.png"
            unsigned: dict[str, Any] = {"Software": None}
            imsave(self.tiles / file, rendered(tile.panel, span), metadata=unsigned)
            line = {"kind": kind, "subject": tile.subject, "what": tile.what, "file": file, "note": tile.note}
            self.index.append(line)

    def close(self) -> None:
        """Write `tiles/index.json`, by which figures find the tiles."""
        write_json(self.tiles / INDEX, self.index)
