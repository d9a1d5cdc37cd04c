"""Table 1 of the SSBR CycleGAN at the smallest size that still runs every kind of stage in both directions."""

from dataclasses import replace

from medsearch.cli import run
from medsearch.study import Ablation
from tests.studies.shipped import shipped

STUDY: Ablation = shipped("ssbr_cyclegan_table_1")
ROWS = ("PBS", "+ input addition", "+ binary mask")
SHORT = {
    "regressor.iterations": 20,
    "regressor.epoch_iterations": 10,
    "regressor.volumes": 2,
    "translation.cyclegan.epochs": 1,
    "translation.cyclegan.decay_epochs": 1,
    "translation.cyclegan.batch": 4,
}


def small() -> Ablation:
    """Three of its rows, one seed, two epochs of everything."""
    rows = tuple(replace(row, against="") for row in STUDY.variants if row.label in ROWS)
    return replace(STUDY, variants=rows, fixed=SHORT, seeds=(0,))


if __name__ == "__main__":
    run(small())
