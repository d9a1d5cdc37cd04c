"""The store: finished and running stages by key. It is the truth; trackers and reports are views of it.

<root>/<key>/lock                held by the process that trains the stage
             checkpoint/         a resumable state while it runs
             journal.jsonl       every epoch's metrics, with seconds and the time of day
             .aside/             outputs before they are committed
             manifest.json       written last: the stage is finished
             weights.safetensors, ...
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.records import append_line, read_json, read_lines, sync_directory, write_json
from medsearch.stages.context import Artifact
from medsearch.stages.stage import Epoch

MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Store:
    """Stages under one folder, shared by every process that can see it."""

    root: Path

    def folder(self, key: str) -> Path:
        """Where the stage `key` lies."""
        return self.root / key

    def has(self, key: str) -> bool:
        """Whether the stage is finished."""
        return (self.folder(key) / MANIFEST).exists()

    def artifact(self, key: str) -> Artifact:
        """A finished stage.

        Raises:
            BadInput: the stage is not finished, or its manifest cannot be read.

        """
        folder = self.folder(key)
        try:
            return Artifact(key, folder, read_json(folder / MANIFEST))
        except (OSError, ValueError) as error:
            msg = f"stage {key} in {self.root} has no readable manifest ({error}); remove the folder and run again"
            raise BadInput(msg) from error

    def artifacts(self) -> Iterator[Artifact]:
        """Every finished stage."""
        for manifest in sorted(self.root.glob(f"*/{MANIFEST}")):
            yield self.artifact(manifest.parent.name)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the stage; another process that wants it waits. The kernel frees it when the holder dies."""
        with locked(self.folder(key) / "lock"):
            yield

    def aside(self, key: str) -> Path:
        """An empty folder for the outputs of a stage that is about to run."""
        aside = self.folder(key) / ".aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        return aside

    def commit(self, key: str, manifest: Mapping[str, Any]) -> Artifact:
        """Move the outputs into place, then write the manifest; afterwards the checkpoint is gone."""
        folder = self.folder(key)
        aside = folder / ".aside"
        for path in sorted(aside.iterdir()):
            _sync_tree(path)
            target = folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.rename(target)
        sync_directory(folder)
        write_json(folder / MANIFEST, manifest)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)
        return self.artifact(key)

    def record(
        self, key: str, epoch: Epoch, *, seconds: float, time: float, domains: Mapping[str, str] | None = None
    ) -> None:
        """Append one epoch to the stage's journal. `domains`: whose cases each split holds."""
        line = {"epoch": epoch.number, "metrics": epoch.metrics, "seconds": seconds, "time": time}
        line |= {"domains": domains} if domains else {}
        append_line(self.folder(key) / JOURNAL, line)

    def journal(self, key: str) -> list[dict[str, Any]]:
        """The recorded epochs, each once, in order. An epoch trained again after a crash keeps its first record."""
        first: dict[int, dict[str, Any]] = {}
        for line in read_lines(self.folder(key) / JOURNAL):
            first.setdefault(line["epoch"], line)
        return [first[number] for number in sorted(first)]


def _sync_tree(path: Path) -> None:
    for part in [path, *path.rglob("*")]:
        if part.is_dir():
            sync_directory(part)
        else:
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
