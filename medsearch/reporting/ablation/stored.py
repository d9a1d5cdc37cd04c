"""What is stored of an ablation's stage runs: of all the store's index, of test stages the whole manifest, pictures."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import Damaged
from medsearch.core.paths import below
from medsearch.core.records import lacks, read_json, warn_once
from medsearch.reporting.ablation.results import Cell, Tile
from medsearch.reporting.evidence import Picture, RunState
from medsearch.reporting.pictures import place_of, title_of
from medsearch.reporting.wording import listed
from medsearch.stages.context import Artifact
from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger, RunRecord
from medsearch.study.record import Stages

MOST = 8
"""Pictures of one title on the page: a page of hundreds opens slowly and is read by nobody."""

Shown = dict[tuple[str, int], list[str]]  # (column, seed) -> rows

INDEX = "tiles/index.json"


@final
class StageResults:
    """The stage runs of the study in `folder`."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self._artifacts: dict[str, Artifact] = {}

    @cached_property
    def records(self) -> Mapping[str, RunRecord]:
        """What the ledger knows, by the key of the stage run."""
        runs = Ledger(self.folder).runs().values()
        return {run.stages[0][1]: run for run in runs if run.role == "stage" and run.stages}

    @cached_property
    def finished(self) -> Mapping[str, Mapping[str, Any]]:
        """By key, what finished stage runs say of themselves, without the values of cases."""
        return self.store.summaries()

    def artifact(self, key: str) -> Artifact | None:
        """A finished stage run with all that it says of itself; None for one that is not finished."""
        if key not in self._artifacts and key in self.finished:
            self._artifacts[key] = self.store.artifact(key)
        return self._artifacts.get(key)

    def state(self, key: str) -> RunState:
        """The store decides what is finished, the ledger what failed or runs."""
        if key in self.finished:
            return "complete"
        record = self.records.get(key)
        return record.state if record and record.state in ("failed", "running") else "waiting"

    def seconds(self, key: str) -> float | None:
        """Training time: all of a finished stage run, what is recorded of an unfinished one; None before it began."""
        if key in self.finished:
            return float(self.finished[key]["seconds"])
        journal = self.store.journal(key) if key in self.records else []
        return sum(line["seconds"] for line in journal) if journal else None

    def failure(self, stages: Stages) -> tuple[str, RunRecord] | None:
        """The first of these stage runs that failed, with the name of its node."""
        failed = ((node, key) for node, key in stages if self.state(key) == "failed")
        return next(((node, self.records[key]) for node, key in failed), None)


def pictures_of(cells: Sequence[Cell], stored: StageResults, report: Path) -> tuple[tuple[Picture, ...], int]:
    """Of each cell's first finished seed, the first few of each title; and how many were left out.

    Rows that share a stage may have the same picture: it comes once and names them all. Paths are relative to the
    report, so that a home can move.
    """
    found: dict[str, dict[bytes, tuple[Path, Shown]]] = {}
    for cell, seed, folder in _tested(cells, stored):
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


def tiles_of(cells: Sequence[Cell], stored: StageResults, report: Path) -> tuple[Tile, ...]:
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
        for cell, _, folder in _tested(cells, stored)
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


def _tested(cells: Sequence[Cell], stored: StageResults) -> Iterator[tuple[Cell, int, Path]]:
    for cell in cells:
        done = next((replicate for replicate in cell.replicates if replicate.state == "complete"), None)
        if done is not None:
            yield cell, done.seed, stored.store.folder(done.stages[-1][1])
