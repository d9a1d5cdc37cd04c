"""A made-up ablation on disk, with everything that a real one may hold, and as results.

Two columns in two metrics, three seeds; rows that share stages, one seed that diverged, one stage run that ran out of
memory, a cell that still waits, a row that is asked of one column only. Written through the ledger and the store, as a
study writes it.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from medsearch.core.reported import Reported
from medsearch.core.seeds import generator
from medsearch.stages.manifest import Manifest
from medsearch.stages.method import Selection
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.record.headers import (
    AblationHeader,
    About,
    Axis,
    Base,
    Candidate,
    Cell,
    Column,
    Figure,
    Retuning,
    Row,
)
from medsearch.study.record.ledger import Ledger, PlannedRun
from tests.study.headers import written

BRATS, CROSSMODA = "BraTS : T1 → T2", "CrossMoDA : T1ce → hrT2"
PROPOSED, NO_ST, NO_TAMT = "Proposed (Self-sup.)", "w/o ST", "w/o TAMT w/o ST"
SPARSE, SUPERVISED = "w/o P → A and A → P", "Target supervised"
SEG, ROUNDS, LABELS = "translation.weights.seg", "self_training.rounds", "task.source_labels"
NODES = ("translation", "synthesis", "segmentation", "self_training", "test")
PAPER: Mapping[str, Any] = {
    "paper": "MoDATTS, thesis ch. 5", "where": "Table 5.5", "page": 78, "metric": "dice", "selection": "oracle",
    "cohort": "brats2020", "statistic": "mean over cases",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Made:
    """A row: its knobs, its Dice per column, and which of its stages have knobs of their own."""

    label: str
    knobs: Mapping[str, Any]
    dice: Mapping[str, float]
    own: Mapping[str, str] = field(default_factory=dict)  # node -> what sets it apart; nodes before are shared
    against: str = ""
    kind: Literal["variant", "reference"] = "variant"
    line: str = ""


ROWS = (
    Made(
        label=NO_TAMT,
        knobs={LABELS: 1.0, SEG: 0.0, ROUNDS: 0},
        dice={BRATS: 0.772, CROSSMODA: 0.70},
        own={"translation": "no TAMT", "test": "no ST"},
        against=PROPOSED,
    ),
    Made(
        label=NO_ST,
        knobs={LABELS: 1.0, ROUNDS: 0},
        dice={BRATS: 0.842, CROSSMODA: 0.78},
        own={"test": "no ST"},
        against=PROPOSED,
    ),
    Made(label=PROPOSED, knobs={LABELS: 1.0}, dice={BRATS: 0.862, CROSSMODA: 0.80}),
    Made(
        label=SPARSE,
        knobs={LABELS: 0.01, "segmentation.translate": "none"},
        dice={BRATS: 0.62, CROSSMODA: 0.55},
        own={"translation": "1 %"},
    ),
    Made(
        label=SUPERVISED,
        knobs={"segmentation.supervision": "target"},
        dice={BRATS: 0.88},
        own={"segmentation": "target"},
        kind="reference",
    ),
)
"""In the order of the table."""


def reported() -> tuple[Reported, ...]:
    """The paper's values for the first column's rows over seeds, for the second's over cases."""
    brats = ((NO_TAMT, 0.817, 0.005), (NO_ST, 0.844, 0.001), (PROPOSED, 0.863, 0.002), (SPARSE, 0.658, 0.009))
    crossmoda = ((NO_TAMT, 0.826, 0.100), (NO_ST, 0.851, 0.051), (PROPOSED, 0.870, 0.048))
    over_cases = {**PAPER, "cohort": "crossmoda2022", "selection": "pseudo-target", "spread_of": "cases", "n": 64}
    return (
        *(Reported(**PAPER, row=r, column=BRATS, value=v, spread=s, spread_of="seeds", n=3) for r, v, s in brats),
        *(Reported(**over_cases, row=r, column=CROSSMODA, value=v, spread=s) for r, v, s in crossmoda),
        Reported(**{**PAPER, "metric": "share"}, row=PROPOSED, column=BRATS, value=0.98),
        Reported(**{**PAPER, "metric": "share"}, row="AttENT", column="mean of 12 pairs", value=0.79),
    )


def columns(*, phantom: bool = False) -> tuple[Column, ...]:
    about = About(
        cohort="brats2020-phantom" if phantom else "BraTS2020",
        phantom=phantom,
        git_commit="4be1d02",
        versions={"medsearch": "0.1.0", "torch": "2.13.0"},
        machine="x86_64, 2 cores, no GPU",
    )
    kinds: Sequence[tuple[str, str, Selection, str, str]] = (
        (BRATS, "brats2020", "oracle", "t1", "t2"),
        (CROSSMODA, "crossmoda2022", "pseudo-target", "ceT1", "hrT2"),
    )
    return tuple(
        Column(
            label=label,
            task={"layout": layout, "source": source, "target": target, "source_labels": 1.0},
            layout=layout,
            selection=rule,
            cohort=f"{zlib.crc32(layout.encode()):016x}",
            subjects=369 if layout == "brats2020" else 274,
            about=about,
        )
        for label, layout, rule, source, target in kinds
    )


def header(rows: Sequence[Made] = ROWS, **changes: Any) -> AblationHeader:
    columns_of, seeds = changes.setdefault("columns", columns()), changes.setdefault("seeds", (0, 1, 2))
    labels = tuple(column.label for column in columns_of)
    made = AblationHeader(
        name="modatts_table_5_5",
        question="What do tumour-aware translation, self-training and diseased-healthy translation contribute?",
        cost="45 minutes on two cores",
        method="MoDATTS",
        scale="paper",
        commit="4be1d02",
        begun=1.0,
        columns=columns_of,
        rows=tuple(_row(row, labels) for row in rows),
        seeds=seeds,
        metrics=("test/dice", "test/assd"),
        objective="validation/dice",
        supervised=SUPERVISED,
        margin=0.03,
        fixed={"segmentation.lr": 1e-4},
        within={CROSSMODA: {"segmentation.weights.rec": 75.0}},
        reported=reported(),
        figure=Figure(),
        cells=tuple(_cell(row, label, seed) for label in labels for row in rows if label in row.dice for seed in seeds),
        candidates=(),
        identity={"scale": "paper"},
    )
    return replace(made, **changes)


def _row(row: Made, labels: Sequence[str]) -> Row:
    return Row(
        label=row.label,
        knobs=row.knobs,
        kind=row.kind,
        against=row.against,
        columns=tuple(label for label in labels if label in row.dice),
        method="MoDATTS, self-supervised",
        line=row.line,
    )


def _cell(row: Made, column: str, seed: int) -> Cell:
    return Cell(row=row.label, column=column, seed=seed, knobs=row.knobs, stages=tuple(stages(row, column, seed)))


def stages(row: Made, column: str, seed: int) -> list[tuple[str, str]]:
    """(node, key) of a cell: a stage's key is of all that sets it and the stages before it apart."""
    apart, made = f"{column} {seed}", []
    nodes = [node for node in NODES if not (node == "self_training" and ROUNDS in row.knobs)]
    for node in nodes:
        apart += row.own.get(node, "") + node
        made.append((node, f"{zlib.crc32(apart.encode()):08x}{zlib.crc32(apart[::-1].encode()):08x}"))
    return made


Failures = Mapping[tuple[str, str, int], tuple[str, str, str]]
"""(row, column, seed) -> (node that failed, reason, cause)."""

FAILURES: Failures = {
    (NO_TAMT, BRATS, 1): ("test", "loss 'adv' = nan at epoch 3: training diverged", "diverged"),
    (SPARSE, CROSSMODA, 0): ("translation", "out of memory: asked for 9.1 GiB", "out of memory"),
}
WAITING = frozenset({(SPARSE, CROSSMODA, 2)})


def write(
    folder: Path,
    store: Store,
    *,
    of: AblationHeader | None = None,
    rows: Sequence[Made] = ROWS,
    failures: Failures = FAILURES,
    waiting: frozenset[tuple[str, str, int]] = WAITING,
    cases: int = 12,
) -> None:
    """Write the study's header, its ledger, and every stage run that has ended."""
    content, ledger = of or header(), Ledger(folder)
    ledger.write_header(content)
    by_label = {row.label: row for row in rows}
    done: set[str] = set()
    for cell in content.cells:
        place = (cell.row, cell.column, cell.seed)
        for run in _ends(cell, failures.get(place), place in waiting):
            key = run.planned.stages[0][1]
            if key in done:
                continue
            done.add(key)
            ledger.started(run.planned)
            if run.state == "running":
                continue
            if run.state == "complete":
                _store(store, run.planned, scores(by_label[cell.row], cell.column, cell.seed, cases=cases))
            ledger.finished(run.planned.run, state=run.state, reason=run.reason, cause=run.cause)


@dataclass(frozen=True, kw_only=True)
class _End:
    planned: PlannedRun
    state: Any
    reason: str | None = None
    cause: str | None = None


def _ends(cell: Cell, failure: tuple[str, str, str] | None, waits: bool) -> Iterator[_End]:
    for node, key in cell.stages:
        planned = PlannedRun(role="stage", seed=cell.seed, label=cell.row, knobs=cell.knobs, stages=((node, key),))
        if failure and failure[0] == node:
            yield _End(planned=planned, state="failed", reason=failure[1], cause=failure[2])
            return
        if waits and node == "segmentation":
            yield _End(planned=planned, state="running")
            return
        yield _End(planned=planned, state="complete")


def _store(store: Store, planned: PlannedRun, cases: Sequence[Mapping[str, Any]]) -> None:
    ((node, key),) = planned.stages
    manifest = {"stage": node, "node": node, "metrics": {}, "notes": {}, "seconds": 60.0, "epochs": 1}
    if node == "test":
        names = [name for name in cases[0] if name != "subject"]
        notes = {"cases": cases, "scoring": "diseased halves"}
        manifest |= {"metrics": {f"test/{name}": _mean(cases, name) for name in names}, "notes": notes}
    store.aside(key)
    store.record(key, Epoch(1, {"train/loss": 1.0}), seconds=60.0, time=0.0)
    store.commit(key, Manifest(**manifest))


def _mean(cases: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([case[name] for case in cases if case[name] is not None]))


def scores(row: Made, column: str, seed: int, *, cases: int = 12) -> list[dict[str, Any]]:
    """A case is hard or easy under every row and seed; seeds and rows move it a little."""
    hard = generator(zlib.crc32(column.encode()), "cases").normal(0, 0.05, cases)
    draw = generator(zlib.crc32(f"{row.label}{column}".encode()), seed)
    level = row.dice[column] + hard - hard.mean() + draw.normal(0, 0.008)
    dice = np.clip(level + draw.normal(0, 0.02, cases), 0, 1)
    return [
        {"subject": f"case-{place:03d}", "dice": float(value), "assd": None if place == 5 else float(9 * (1 - value))}
        for place, value in enumerate(dice)
    ]


def add_pictures(folder: Path, store: Store, *, names: Sequence[str], alike: bool = True) -> None:
    """Give every finished test stage a picture of each name, the same one or its own."""
    for key in tested(folder, store):
        pictures = store.folder(key) / "pictures"
        pictures.mkdir(exist_ok=True)
        for name in names:
            _tile(name if alike else name + key).save(pictures / f"{name}.png")


def tested(folder: Path, store: Store) -> list[str]:
    """Keys of the test stages that are finished."""
    keys = (cell.stages[-1][1] for cell in written(Ledger(folder), AblationHeader).cells)
    return [key for key in keys if store.has(key)]


def add_tiles(folder: Path, store: Store, *, kinds: Mapping[str, Sequence[str]]) -> None:
    """Give every finished test stage tiles of these kinds: kind -> what its pictures show."""
    for key in tested(folder, store):
        tiles, entries = store.folder(key) / "tiles", []
        tiles.mkdir(exist_ok=True)
        for kind, whats in kinds.items():
            for subject in ("case-000", "case-001"):
                for what in whats:
                    name = f"{kind}-{subject}-{what.replace(' ', '-')}.png"
                    _tile(f"{subject}{what}").save(tiles / name)
                    note = "Dice 0.81" if what == "segmentation" else ""
                    entries.append({"kind": kind, "subject": subject, "what": what, "file": name, "note": note})
        (tiles / "index.json").write_text(json.dumps(entries))


def _tile(name: str) -> Image.Image:
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    draw = generator(zlib.crc32(name.encode()), "tile")
    brain = (x / 0.75) ** 2 + (y / 0.9) ** 2 < 1
    lump = (x - draw.uniform(-0.3, 0.3)) ** 2 + (y - draw.uniform(-0.3, 0.3)) ** 2 < 0.05
    grey = np.where(brain, 90 + 40 * np.cos(7 * x) + 90 * lump + draw.normal(0, 5, x.shape), 0)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


RETUNED = "segmentation.weights.seg"


def retuned() -> AblationHeader:
    """The first column alone, on a phantom at tiny scale, based on a search; λ_seg re-tuned for every row.

    One row's configurations have not all ended, so its cells are not known yet; of another's one diverged.
    """
    whole = header(
        columns=columns(phantom=True)[:1],
        scale="tiny",
        metrics=("test/dice",),
        seeds=(0, 1),
        retune=Retuning(space={RETUNED: Axis(low=1.0, high=100.0, log=True)}, trials=3),
        of=Base(study="modatts_lambda_search", trial=12, knobs={"segmentation.weights.rec": 61.5}),
        candidates=tuple(_candidate(row, number) for row in ROWS for number in range(3)),
    )
    return replace(whole, cells=tuple(cell for cell in whole.cells if cell.row != SPARSE))


def _candidate(row: Made, number: int) -> Candidate:
    lost = (row.label == NO_ST and number == 1) or (row.label == SPARSE and number == 2)
    return Candidate(
        row=row.label,
        column=BRATS,
        number=number,
        knobs={RETUNED: 10.0 * number} if number else {},
        stages=tuple(stages(row, f"{BRATS} candidate {number}", 0)[:3]),
        scored="segmentation",
        value=None if lost else round(0.8 + 0.01 * number, 3),
        chosen=number == 2 and row.label != SPARSE,
    )
