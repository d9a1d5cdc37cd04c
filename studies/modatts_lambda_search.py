"""Which loss weights, and how large a network, make semi-supervised MoDATTS segment best in an unannotated contrast?

Searched    λ_rec, λ_lat and λ_seg of Eq. 5.12, with λ_adv fixed at the paper's 5: weights are normalised to sum 1, so
            only their ratios act. Architecture: the segmentor's width and the number of its semantic-map codes.
Fixed       the translation stage (trained once per seed and shared by all trials), optimiser, epochs, augmentation.
Selection   "pseudo-target": Dice on translated validation sources. Before the test no target mask is seen, only which
            half of a training brain has a tumour (the weak label of section 5.5.1).
Reported    section 5.5.1: 5 / 50 / 5 / 100, found by hand on CrossMoDA and kept for BraTS.
Cost        tiny: 10 to 15 minutes on two cores. small, paper: one GPU or more; --dry-run tells, once a stage was timed.

    python studies/modatts_lambda_search.py
    python studies/modatts_lambda_search.py --data BraTS2020 --scale paper --address auto --tracking-uri http://HOST:5000
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import MODATTS
from medsearch.study import TPE, FullLength, Search, Variant, choice, loguniform

STUDY = Search(
    name="modatts_lambda_search",
    question="Which loss weights and network size make semi-supervised MoDATTS segment an unannotated contrast best?",
    method=MODATTS.configured(variant="semi-supervised"),
    task=CrossModalityTask(source="t1", target="t2", source_labels=1.0, target_labels=0.0),
    space={
        "segmentation.weights.rec": loguniform(5, 200),
        "segmentation.weights.lat": loguniform(0.5, 50),
        "segmentation.weights.seg": loguniform(10, 1000),
        "segmentation.width": choice([1.0, 1.5]),
        "segmentation.network.codes": {"tiny": choice([8, 16]), "small": choice([32, 64]), "paper": choice([60, 120])},
    },
    fixed={"segmentation.weights.adv": 5.0},
    weights=tuple(f"segmentation.weights.{term}" for term in ("adv", "rec", "lat", "seg")),
    published={
        "segmentation.weights.adv": 5.0,
        "segmentation.weights.rec": 50.0,
        "segmentation.weights.lat": 5.0,
        "segmentation.weights.seg": 100.0,
    },
    published_in="MoDATTS, section 5.5.1",
    selection="pseudo-target",
    sampler=TPE(),
    scheduler=FullLength(because="adversarial learning curves cross: what leads early need not win"),
    trials={"tiny": 8, "small": 24, "paper": 60},
    finalists={"tiny": 2, "small": 3, "paper": 3},
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    references=(
        Variant("No adaptation", {"segmentation.supervision": "source"}),
        Variant("Target supervised", {"segmentation.supervision": "target", "task.target_labels": 1.0}),
    ),
    cost="tiny: 10 to 15 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
