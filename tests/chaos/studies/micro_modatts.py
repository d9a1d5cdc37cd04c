"""MoDATTS at a size that trains in seconds: two rows that share their translation, real checkpoints, real resuming."""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.study import Ablation, Variant
from tests.micro import MICRO_MODATTS

STUDY = Ablation(
    name="micro_modatts",
    question="Does self-training contribute to next to nothing?",
    method=MICRO_MODATTS.at("tiny"),
    tasks={"t1 to t2": CrossModalityTask(source="t1", target="t2")},
    fixed={
        "task.geometry.slice_size": 32,
        "task.geometry.depth": (4, 12),
        "task.geometry.crop": (8, 16, 8),
        "translation.epochs": 6,
        "segmentation.epochs": 6,
    },
    variants=(
        Variant("as proposed"),
        Variant("w/o ST", {"self_training.rounds": 0}, against="as proposed"),
    ),
    selection="oracle",
    seeds=(0, 1),
)

if __name__ == "__main__":
    run(STUDY)
