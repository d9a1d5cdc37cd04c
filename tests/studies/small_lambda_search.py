"""The shipped λ search at the smallest size that still runs every stage: what the end-to-end tests start."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from medsearch.cli import run
from medsearch.study import Search, choice

STUDY_FILE = Path(__file__).parents[2] / "studies" / "modatts_lambda_search.py"


def shipped() -> Search:
    """The study as its file declares it."""
    spec = importlib.util.spec_from_file_location("modatts_lambda_search", STUDY_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STUDY


def small() -> Search:
    """One epoch of everything, three trials, one finalist under two seeds."""
    study = shipped()
    epochs = {"translation.epochs": 1, "segmentation.epochs": 2, "self_training.epochs": 1}
    quick = {"segmentation.validate_every": 1, "translation.validate_every": 1}
    return replace(
        study,
        fixed={**study.fixed, **epochs, **quick},
        space={**study.space, "segmentation.width": choice([1.0])},
        trials=3,
        finalists=1,
        seeds=(0, 1),
    )


if __name__ == "__main__":
    run(small())
