"""A made-up ablation on disk: four rows, two columns, two seeds; stage runs that rows share, and one that failed."""

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from medsearch.study.record.headers import Cell, Row
from medsearch.study.record.ledger import PlannedRun
from tests.study.headers import ablation_header, column_header
from tests.tracking.scene import Scene

COLUMNS = ("T1 → T2", "T2 → T1")
SEEDS = (0, 1)
ROWS: dict[str, dict[str, Any]] = {
    "w/o TAMT w/o ST": {"translation.weights.seg": 0.0, "self_training.rounds": 0},
    "w/o ST": {"self_training.rounds": 0},
    "Proposed": {},
}
REFERENCE = "Target supervised"
LEVEL = {"w/o TAMT w/o ST": 0.55, "w/o ST": 0.7, "Proposed": 0.8, REFERENCE: 0.85}
FAILED = ("w/o TAMT w/o ST", COLUMNS[1], 1)
EPOCHS = 4
FIXED = {"task.source_labels": 1.0}


@dataclass
class SweptScene:
    """Writes the header at once and the stage runs when asked."""

    scene: Scene
    columns: Sequence[str] = COLUMNS
    seeds: Sequence[int] = SEEDS
    rows: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(ROWS))
    done: set[str] = field(default_factory=set)

    def begin(self, **changes: Any) -> None:
        """Write the header, with every cell."""
        rows = [self._row(label, knobs) for label, knobs in self.rows.items()]
        header = ablation_header(
            name=self.scene.folder.name,
            question="What does each part bring?",
            commit="abc123",
            columns=tuple(column_header(label, cohort=f"cohort-{place}") for place, label in enumerate(self.columns)),
            rows=(*rows, self._row(REFERENCE, {}, kind="reference")),
            seeds=tuple(self.seeds),
            fixed=FIXED,
            cells=tuple(
                Cell(
                    row=row,
                    column=label,
                    seed=seed,
                    knobs={**FIXED, **self.rows.get(row, {})},
                    stages=tuple(stages),
                )
                for row, label, seed, stages in self.cells()
            ),
        )
        self.scene.describe(replace(header, **changes))

    def cells(self) -> Iterator[tuple[str, str, int, list[tuple[str, str]]]]:
        """Row, column, seed, and its stages as (node, key)."""
        for column in self.columns:
            for row in (*self.rows, REFERENCE):
                for seed in self.seeds:
                    yield row, column, seed, stages_of(row, column, seed)

    def run(self, *, fail: tuple[str, str, int] | None = FAILED, upto: int | None = None) -> None:
        """Do the distinct stage runs that are not done, in order, `upto` of them in all."""
        for row, column, seed, stages in self.cells():
            for node, key in stages:
                if key in self.done:
                    continue
                if upto is not None and len(self.done) == upto:
                    return
                self.done.add(key)
                failed = (row, column, seed) == fail and node == "segmentation"
                self.stage(node, key, row=row, seed=seed, failed=failed)
                if failed:
                    break

    def planned(self, node: str, key: str, *, row: str, seed: int) -> PlannedRun:
        """A stage run as the sweep plans it."""
        return PlannedRun(role="stage", seed=seed, label=row, stages=((node, key),))

    def stage(self, node: str, key: str, *, row: str, seed: int, failed: bool = False) -> None:
        """One stage run from its start to its end."""
        run = self.scene.start(self.planned(node, key, row=row, seed=seed))
        if node != "test":
            for epoch in range(1, EPOCHS + 1):
                self.scene.epoch(key, epoch, curve(node, epoch, level=LEVEL[row], seed=seed))
        if failed:
            self.scene.end(run, "failed", reason="loss is nan at epoch 3", cause="diverged")
            return
        dice = LEVEL[row] + 0.01 * seed
        metrics = {"test/dice": dice, "test/assd": 10 * (1 - dice)} if node == "test" else {"validation/dice": dice}
        pictures = {"predictions.png": picture(dice), "residuals.png": picture(1 - dice)} if node == "test" else {}
        self.scene.commit(key, metrics, pictures)
        self.scene.end(run)

    def report(self) -> None:
        """The files of a report, as far as tracking cares; one row lacks a seed, one has verdicts."""
        folder = self.scene.folder / "report"
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name in ("index.html", "table.csv", "table.md", "table.tex", "figures/bars.png", "figures/bars.svg"):
            (folder / name).write_text(name)
        lines = [self._line(row, column) for row in LEVEL for column in self.columns]
        (folder / "results.json").write_text(json.dumps({"format": 1, "results": {}, "derived": {"table": lines}}))
        os.utime(folder / "results.json", (self.scene.tick(),) * 2)

    def _line(self, row: str, column: str) -> dict[str, Any]:
        line = {"row": row, "column": column, "metric": "test/dice", "planned": 2, "seeds": 2, "sd_seeds": 0.007}
        if (row, column) == FAILED[:2]:
            lost = {"seeds": 1, "failed": 1, "sd_seeds": None, "mean": None}
            return line | lost | {"survivors_mean": LEVEL[row], "survivors_share": 0.6, "survivors_change": -4.5}
        line |= {"mean": LEVEL[row] + 0.005, "survivors_mean": None}
        line |= {} if row == "Proposed" else {"change": -8.25}
        judged = row == "Proposed" and {"verdict": "not comparable", "verdict_reason": "a phantom"}
        return line | (judged or {"verdict": None})

    def _row(self, label: str, knobs: dict[str, Any], kind: Literal["variant", "reference"] = "variant") -> Row:
        against = "" if label == "Proposed" or kind == "reference" else "Proposed"
        return Row(label=label, knobs=knobs, kind=kind, against=against, method="modatts self-sup.")


def stages_of(row: str, column: str, seed: int) -> list[tuple[str, str]]:
    """Rows share what precedes that in which they differ."""
    translated = "plain" if "TAMT" in row else "aware"
    if row == REFERENCE:
        return [(node, key_of(node, row, column, seed)) for node in ("segmentation", "test")]
    stages = [("translation", key_of("translation", translated, column, seed))]
    stages += [("segmentation", key_of("segmentation", translated, column, seed))]
    if row == "Proposed":
        stages += [("self_training", key_of("self_training", row, column, seed))]
    return [*stages, ("test", key_of("test", row, column, seed))]


def key_of(*parts: Any) -> str:
    """A stage key."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def curve(node: str, epoch: int, *, level: float, seed: int) -> dict[str, float]:
    """Metrics of an epoch that look like training."""
    approach = 1 - math.exp(-epoch / 2)
    losses = {"train/seg": 1 - level * approach, "train/adv": 0.5 + 0.1 / epoch, "train/rec": 0.3 / epoch}
    losses |= {"train/cyc": 0.2 / epoch} if node == "translation" else {}
    return losses | {"validation/dice": level * approach + 0.01 * seed}


def picture(brightness: float) -> bytes:
    """A PNG that can be told from others."""
    from PIL import Image

    image = Image.new("RGB", (800, 400), (30, 30, 60))
    image.paste((255, int(255 * brightness), 80), (50, 50, 50 + int(700 * brightness), 350))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
