"""A staged search of MoDATTS at the smallest size that still runs every stage: what the end-to-end tests start."""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import MODATTS
from medsearch.study import (
    FullLength,
    Group,
    Random,
    Reaching,
    Refinement,
    StagedSearch,
    choice,
    loguniform,
)

WHOLE = FullLength(because="one epoch has no rungs")
STUDY = StagedSearch(
    name="small_staged_search",
    question="Does it pay to tune the translation before the segmentor?",
    method=MODATTS.configured(variant="semi-supervised"),
    task=CrossModalityTask(source="t1", target="t2", source_labels=1.0, target_labels=0.0),
    groups=(
        Group(
            name="translation",
            space={"translation.weights.cyc": loguniform(1, 100)},
            objective={"validation/loss": "minimize"},
            trials=2,
            freeze=Reaching(metric="validation/dice", at_least=0.0),
            sampler=Random(),
            scheduler=WHOLE,
            searched_stage="translation",
            scored_stage="translation",
        ),
        Group(
            name="segmentation",
            space={"segmentation.weights.seg": loguniform(10, 1000), "segmentation.network.codes": choice([8, 16])},
            trials=2,
            fixed={"self_training.rounds": 0},
            sampler=Random(),
            scheduler=WHOLE,
        ),
    ),
    selection="pseudo-target",
    seeds=(0,),
    fixed={
        "translation.epochs": 1,
        "segmentation.epochs": 1,
        "self_training.epochs": 1,
        "segmentation.validate_every": 1,
        "translation.validate_every": 1,
    },
    published={"translation.weights.cyc": 10.0, "segmentation.weights.seg": 100.0},
    published_in="MoDATTS, section 5.5.1",
    weights=("translation.weights.adv", "translation.weights.seg", "translation.weights.cyc"),
    refinement=Refinement(trials=2, finalists=1),
)

if __name__ == "__main__":
    run(STUDY)
