"""Small ablations without a disk, whose numbers can be worked out by hand."""

from collections.abc import Mapping
from typing import Any

from medsearch.reporting.results import (
    AblationDesign,
    AblationResults,
    CellResults,
    ColumnResults,
    Provenance,
    Replicate,
)

from medsearch.study.record.headers import Row

CASES = 8


def run(seed: int, dice: float, *, cases: int = CASES, bend: float = 0.0) -> Replicate:
    """Cases spread evenly about `dice`, a hundredth apart; `bend` sets their differences from other rows apart."""
    scores = [dice + 0.01 * (i - (cases - 1) / 2) + bend * (i % 3) * (i + 1) / cases for i in range(cases)]
    rows = tuple({"subject": f"case-{i}", "dice": score, "assd": 10 * (1 - score)} for i, score in enumerate(scores))
    mean = sum(scores) / cases
    return Replicate(seed=seed, metrics={"test/dice": mean, "test/assd": 10 * (1 - mean)}, cases=rows, seconds=9.0)


def column(label: str = "task", **changes: Any) -> ColumnResults:
    origin = {"phantom": False, "scale": "paper", "skipped": ()}
    origin |= {name: changes.pop(name) for name in tuple(origin) if name in changes}
    provenance = Provenance(cohort="BraTS2020", subjects=369, data_fingerprint="f00d", **origin)  # type: ignore[arg-type]
    settings = {"direction": "t1 → t2", "layout": "brats2020", "selection": "oracle"}
    return ColumnResults(label=label, provenance=provenance, **{**settings, **changes})  # type: ignore[arg-type]


def results(
    rows: Mapping[str, tuple[Replicate, ...]],
    *,
    columns: tuple[ColumnResults, ...] = (),
    against: Mapping[str, str] | None = None,
    scale: str = "paper",
    **design: Any,
) -> AblationResults:
    """Every row in every column with the same replicates."""
    columns = columns or (column(),)
    labels = tuple(one.label for one in columns)
    seeds = tuple(replicate.seed for replicate in max(rows.values(), key=len))
    return AblationResults(
        design=AblationDesign(study="made_up", question="What?", method="MoDATTS", scale=scale, seeds=seeds, **design),
        columns=columns,
        rows=tuple(Row(label=row, columns=labels, against=(against or {}).get(row, "")) for row in rows),
        cells=tuple(
            CellResults(row=row, column=label, replicates=replicates)
            for label in labels
            for row, replicates in rows.items()
        ),
    )
