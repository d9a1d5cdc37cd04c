"""A study on disk, written line by line on a clock of its own, without the cost of syncing every line."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.codec import encoded
from medsearch.stages.folders import replaced
from medsearch.stages.manifest import REPLACED
from medsearch.study.record.headers import Header, event_line
from medsearch.study.record.ledger import LEDGER, PlannedRun
from medsearch.tracking.backend import Backend
from medsearch.tracking.reading import StudyReader
from tests.study.headers import finished, put, search_header


class Scene:
    """`home` as a search would leave it; every write is one second after the one before."""

    def __init__(self, home: Path, study: str = "demo") -> None:
        self.home, self.folder, self.stages = home, home / "studies" / study, home / "stages"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = 1_700_000_000.0
        self.describe(search_header(name=study, question="Does it help?", commit="abc123"))

    def describe(self, header: Header, **edited: Any) -> None:
        put(self.folder, header, **edited)

    def reader(self) -> StudyReader:
        return StudyReader(self.folder, self.stages)

    def start(self, planned: PlannedRun) -> str:
        self._append(self.folder / LEDGER, event_line(planned.started(self.tick())))
        return planned.run

    def end(self, run: str, state: str = "complete", value: float | None = None, **more: Any) -> None:
        event = finished(run=run, state=state, value=value, time=self.tick(), **more)
        self._append(self.folder / LEDGER, event_line(event))

    def epoch(self, key: str, number: int, metrics: Mapping[str, float]) -> None:
        line = {"epoch": number, "metrics": dict(metrics), "seconds": 1.0, "time": self.tick()}
        self._append(self.stages / key / "journal.jsonl", line)

    def commit(
        self,
        key: str,
        metrics: Mapping[str, float],
        pictures: Mapping[str, bytes] | None = None,
        *,
        commit: str = "abc123",
    ) -> None:
        folder = self.stages / key
        for name, content in (pictures or {}).items():
            path = folder / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        folder.mkdir(parents=True, exist_ok=True)
        code = {"commit": commit, "dirty": False, "digest": "0123"}
        manifest = {"metrics": dict(metrics), "seconds": 12.5, "finished": self.tick(), "code": code}
        replaces = {"replaces": encoded(was)} if (was := replaced(folder)) else {}
        (folder / "manifest.json").write_text(json.dumps({**manifest, **replaces}))
        shutil.rmtree(folder / REPLACED, ignore_errors=True)

    def tick(self) -> float:
        self.clock += 1.0
        return self.clock

    def _append(self, path: Path, line: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def small_search(scene: Scene) -> None:
    """A prefix, a complete, a cut, a failed and a running trial, and a reference run."""
    prefix = PlannedRun(role="prefix", seed=0, stages=(("translation", "k-translation"),))
    scene.start(prefix)
    for number in range(1, 4):
        scene.epoch("k-translation", number, {"train/adv": 1.0 / number, "train/rec": 2.0 / number})
    scene.commit("k-translation", {"validation/ssim": 0.75}, {"t1-to-t2.png": b"translated"})
    scene.end(prefix.run)
    for number in range(4):
        key = f"k-segmentation-{number}"
        knobs = {"segmentation.weights.rec": 10.0 * number, "segmentation.width": 8, "task.source": "t1"}
        stages = (("translation", "k-translation"), ("segmentation", key))
        scene.start(PlannedRun(role="trial", number=number, seed=0, knobs=knobs, stages=stages))
        for epoch in range(1, 3):
            scene.epoch(key, epoch, {"train/dice": 0.5 - 0.1 * epoch, "validation/dice": 0.1 * epoch + 0.01 * number})
    scene.commit("k-segmentation-0", {"validation/dice": 0.2}, {"masks/case1.png": b"mask"})
    scene.end("trial-0000", value=0.2)
    scene.end("trial-0001", "cut", value=0.11, rung=1, reason="below the median at epoch 1")
    scene.end("trial-0002", "failed", reason="loss is nan at epoch 3", cause="Diverged")
    reference = PlannedRun(role="reference", label="No adaptation", seed=1, stages=(("test", "k-test"),))
    scene.start(reference)
    scene.commit("k-test", {"test/dice": 0.4, "test/assd": float("inf")}, {"over.png": b"over"})
    scene.end(reference.run, value=0.4)


def nowhere(uri: str = "http://127.0.0.1:9") -> Backend:
    """A backend for senders that bring their own server."""
    return Backend(uri, None)
