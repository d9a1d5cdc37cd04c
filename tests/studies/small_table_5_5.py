"""Table 5.5 at the smallest size that still runs every kind of stage in both columns: what end-to-end tests start."""

from dataclasses import replace

from medsearch.cli import run
from medsearch.study import Ablation
from tests.studies.shipped import shipped

STUDY: Ablation = shipped("modatts_table_5_5")
EVERY = tuple(f"{stage}.{knob}" for stage in ("translation", "segmentation") for knob in ("epochs", "validate_every"))
ROWS = ("w/o ST", "Proposed (Self-sup.)")


def small() -> Ablation:
    """Two rows in both columns under one seed, an epoch of everything."""
    return replace(
        STUDY,
        fixed={**dict.fromkeys(EVERY, 1), "self_training.epochs": 1},
        within={column: {**knobs, **dict.fromkeys(EVERY, 1)} for column, knobs in STUDY.within.items()},
        variants=tuple(row for row in STUDY.variants if row.label in ROWS),
        seeds=(0,),
    )


if __name__ == "__main__":
    run(small())
