"""Which weights does semi-supervised MoDATTS need, found as its paper found them: generation first, then λ_seg?

Section 5.5.1: λ_rec and λ_lat are raised against λ_adv until mode dropping stops, then λ_seg is tuned for Dice.

Groups      1. generation: λ_rec and λ_lat by Dice on translated validation sources, among weights under which sampled
            codes matter to the tumours that are put on healthy images. Mode dropping is measured: mean over healthy
            validation images and pairs of codes of |Δ_k - Δ_l| / (|Δ_k| + |Δ_l|), 0 where every code makes the same
            tumour, or none.
            2. segmentation: λ_seg by the same Dice.
Then        a joint refinement around the frozen point: what the greedy path left on the table.
Fixed       λ_adv = 5: weights are normalised to sum 1, so that one of them is the unit of the others. The translation
            stage, trained once per seed. No self-training while weights are tuned.
Selection   "pseudo-target": Dice on translated validation sources. Before the test no target mask is seen.
Reported    section 5.5.1: 5 / 50 / 5 / 100.
Cost        tiny: about an hour on two cores; --dry-run tells, once a stage was timed.

    python studies/modatts_staged_search.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import MODATTS
from medsearch.study import FullLength, Group, Reaching, Refinement, StagedSearch, loguniform

WEIGHTS = "segmentation.weights"
WHOLE = FullLength(because="adversarial learning curves cross: what leads early need not win")

STUDY = StagedSearch(
    name="modatts_staged_search",
    question="Which weights does semi-supervised MoDATTS need, tuned generation first and λ_seg last?",
    method=MODATTS.configured(variant="semi-supervised"),
    task=CrossModalityTask(source="t1", target="t2"),
    groups=(
        Group(
            name="generation",
            space={f"{WEIGHTS}.rec": loguniform(5, 500), f"{WEIGHTS}.lat": loguniform(0.5, 50)},
            freeze=Reaching(metric="validation/diversity", at_least=0.1),
            trials={"tiny": 6, "small": 20, "paper": 40},
            scheduler=WHOLE,
        ),
        Group(
            name="segmentation",
            space={f"{WEIGHTS}.seg": loguniform(10, 1000)},
            trials={"tiny": 4, "small": 12, "paper": 20},
            finalists={"tiny": 2, "small": 3, "paper": 3},
            scheduler=WHOLE,
        ),
    ),
    selection="pseudo-target",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    fixed={f"{WEIGHTS}.adv": 5.0, "self_training.rounds": 0},
    published={
        f"{WEIGHTS}.adv": 5.0,
        f"{WEIGHTS}.rec": 50.0,
        f"{WEIGHTS}.lat": 5.0,
        f"{WEIGHTS}.seg": 100.0,
    },
    published_in="MoDATTS, section 5.5.1",
    weights=tuple(f"{WEIGHTS}.{term}" for term in ("adv", "rec", "lat", "seg")),
    refinement=Refinement(
        trials={"tiny": 4, "small": 12, "paper": 30}, finalists={"tiny": 1, "small": 2, "paper": 3}, factor=2.0
    ),
    cost="tiny: about an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
