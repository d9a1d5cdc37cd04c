"""Table 5.5 at the smallest size that still runs every kind of stage in both columns: what end-to-end tests start."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from medsearch.cli import run
from medsearch.study import Ablation

STUDY_FILE = Path(__file__).parents[2] / "studies" / "modatts_table_5_5.py"
EVERY = tuple(f"{stage}.{knob}" for stage in ("translation", "segmentation") for knob in ("epochs", "validate_every"))
ROWS = ("w/o ST", "Proposed (Self-sup.)")


def shipped() -> Ablation:
    """The study as its file declares it."""
    spec = importlib.util.spec_from_file_location("modatts_table_5_5", STUDY_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STUDY


def small() -> Ablation:
    """Two rows in both columns under one seed, an epoch of everything."""
    study = shipped()
    return replace(
        study,
        fixed={**dict.fromkeys(EVERY, 1), "self_training.epochs": 1},
        within={column: {**knobs, **dict.fromkeys(EVERY, 1)} for column, knobs in study.within.items()},
        variants=tuple(row for row in study.variants if row.label in ROWS),
        seeds=(0,),
    )


if __name__ == "__main__":
    run(small())
