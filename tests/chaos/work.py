"""What was trained in a home, and what of it was in vain: as the steady stages wrote it down, or by journals alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsearch.core.records import read_json, read_lines


@dataclass(frozen=True)
class Work:
    """The epochs that were begun in a home. folder: where steady stages write down all homes'."""

    home: Path
    folder: Path

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from read_lines(self.folder / f"{self.home.name}.jsonl")

    @property
    def begun(self) -> int:
        """Epochs that were begun, again or for the first time."""
        return sum(line["what"] == "begun" for line in self)

    @property
    def finished(self) -> dict[str, float]:
        """When each stage was finished, by key."""
        manifests = (self.home / "stages").glob("*/manifest.json")
        return {path.parent.name: read_json(path)["finished"] for path in manifests}

    def lost(self, needed: int, pace: float) -> float:
        """Seconds of epochs that were begun beyond the `needed` ones: at most, for some hardly had begun."""
        return (self.begun - needed) * pace

    def faults(self) -> Iterator[str]:
        """What must never be: a finished stage that is trained again, an epoch in two processes at once."""
        finished, open_ = self.finished, dict[str, dict[str, Any]]()
        for line in self:
            key = line["key"]
            if key in finished and line["time"] > finished[key]:
                yield f"{line['stage']} {key[:12]} was trained again {line['time'] - finished[key]:.1f} s after its end"
            if line["what"] == "ended":
                other = open_.pop(key, None)
                if other is None or other["pid"] != line["pid"]:
                    yield f"{line['stage']} {key[:12]} was trained by {line['pid']} beside another process"
            else:
                open_[key] = line


@dataclass(frozen=True)
class Journals(Work):
    """The epochs that were finished in a home, by its journals: what was lost and begun anew cannot be seen there."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in (self.home / "stages").glob("*/journal.jsonl"):
            for line in read_lines(path):
                yield {"key": path.parent.name, "stage": "stage", "time": line["time"], "what": "begun"}
