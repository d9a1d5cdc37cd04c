"""Table 1 of the SSBR CycleGAN at the smallest size that still runs every kind of stage in both directions."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from medsearch.cli import run
from medsearch.study import Ablation

STUDY_FILE = Path(__file__).parents[2] / "studies" / "ssbr_cyclegan_table_1.py"
ROWS = ("PBS", "+ input addition", "+ binary mask")
SHORT = {
    "regressor.iterations": 20,
    "regressor.epoch_iterations": 10,
    "regressor.volumes": 2,
    "translation.cyclegan.epochs": 1,
    "translation.cyclegan.decay_epochs": 1,
    "translation.cyclegan.batch": 4,
}


def shipped() -> Ablation:
    """The study as its file declares it."""
    spec = importlib.util.spec_from_file_location("ssbr_cyclegan_table_1", STUDY_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STUDY


def small() -> Ablation:
    """Three of its rows, one seed, two epochs of everything."""
    study = shipped()
    rows = tuple(replace(row, against="") for row in study.variants if row.label in ROWS)
    return replace(study, variants=rows, fixed=SHORT, seeds=(0,))


if __name__ == "__main__":
    run(small())
