"""The shipped λ search at the smallest size that still runs every stage: what the end-to-end tests start."""

from dataclasses import replace

from medsearch.cli import run
from medsearch.study import Search, choice
from tests.studies.shipped import shipped

STUDY: Search = shipped("modatts_lambda_search")


def small() -> Search:
    """One epoch of everything, three trials, one finalist under two seeds."""
    epochs = {"translation.epochs": 1, "segmentation.epochs": 2, "self_training.epochs": 1}
    quick = {"segmentation.validate_every": 1, "translation.validate_every": 1}
    return replace(
        STUDY,
        fixed={**STUDY.fixed, **epochs, **quick},
        space={**STUDY.space, "segmentation.width": choice([1.0])},
        trials=3,
        finalists=1,
        seeds=(0, 1),
    )


if __name__ == "__main__":
    run(small())
