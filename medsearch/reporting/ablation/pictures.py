"""Pictures and tiles that the test stages of an ablation stored."""

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from medsearch.core.errors import Damaged
from medsearch.core.paths import below
from medsearch.core.records import lacks, read_json, warn_once
from medsearch.reporting.ablation.results import Cell, Tile
from medsearch.reporting.ablation.shelf import Shelf
from medsearch.reporting.evidence import Picture
from medsearch.reporting.titles import place_of, title_of
from medsearch.reporting.wording import listed

MOST = 8
"""Pictures of one title on the page: a page of hundreds opens slowly and is read by nobody."""

Shown = dict[tuple[str, int], list[str]]  # (column, seed) -> rows

INDEX = "tiles/index.json"


def pictures_of(cells: Sequence[Cell], shelf: Shelf, report: Path) -> tuple[tuple[Picture, ...], int]:
    """Of each cell's first finished seed, the first few of each title; and how many were left out.

    Rows that share a stage may have the same picture: it comes once and names them all. Paths are relative to the
    report, so that a home can move.
    """
    found: dict[str, dict[bytes, tuple[Path, Shown]]] = {}
    for cell, seed, folder in _tested(cells, shelf):
        for path in sorted((folder / "pictures").glob("*.png")):
            _, rows = found.setdefault(title_of(path.stem), {}).setdefault(_content(path), (path, {}))
            rows.setdefault((cell.column, seed), []).append(cell.row)
    shown = [
        Picture(title=title, path=os.path.relpath(path, report), note=_note(rows))
        for title in sorted(found, key=place_of)
        for path, rows in list(found[title].values())[:MOST]
    ]
    return tuple(shown), sum(len(pictures) for pictures in found.values()) - len(shown)


def _note(rows: Shown) -> str:
    return "; ".join(f"{listed(labels)}, {column}, seed {seed}" for (column, seed), labels in rows.items())


def _content(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest()


def tiles_of(cells: Sequence[Cell], shelf: Shelf, report: Path) -> tuple[Tile, ...]:
    """Every tile of each cell's first finished seed."""
    return tuple(
        Tile(
            row=cell.row,
            column=cell.column,
            kind=entry["kind"],
            subject=entry["subject"],
            what=entry["what"],
            path=os.path.relpath(below(folder / "tiles", entry["file"], source=folder / INDEX), report),
            note=entry.get("note", ""),
        )
        for cell, _, folder in _tested(cells, shelf)
        for entry in _listed(folder / INDEX)
    )


def _listed(index: Path) -> list[dict[str, Any]]:
    """The tiles that a stage drew, in its own words; none of an index that is damaged, which is named."""
    try:
        entries = read_json(index)
    except FileNotFoundError:
        return []
    except Damaged as error:
        warn_once(f"{error.what} {error.problem}; its tiles are left out, `medsearch verify` says more")
        return []
    wanted = {"kind": str, "subject": str, "what": str, "file": str}
    sound = isinstance(entries, list) and all(isinstance(one, dict) and not lacks(one, wanted) for one in entries)
    if not sound:
        warn_once(f"{index} lists no tiles; they are left out, `medsearch verify` says more")
    return entries if sound else []


def _tested(cells: Sequence[Cell], shelf: Shelf) -> Iterator[tuple[Cell, int, Path]]:
    for cell in cells:
        done = next((replicate for replicate in cell.replicates if replicate.state == "complete"), None)
        if done is not None:
            yield cell, done.seed, shelf.store.folder(done.stages[-1][1])
