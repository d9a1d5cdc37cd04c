"""Which weights does M-GenSeg need, found as its paper found them: one part of the method after another?

Section 4.3.2: first λ_adv^Gen, λ_rec^Gen and λ_lat^Gen are tuned for successful translation between diseased and
healthy images, then λ_adv^mod and λ_cyc^mod for successful modality translation, finally λ_seg for segmentation.

Groups      1. genseg: by how well residuals pick out the tumour (average precision), among weights under which codes
            still matter (diversity of synthetic tumours, so no mode dropping); without λ_seg and modality translation.
            2. modality: by the error of translated images against the same patients' real ones, which "oracle" may
            see; without λ_seg. 3. segmentation: λ_seg by target Dice.
Then        a joint refinement around the frozen point: what the greedy path left on the table.
Fixed       λ_adv^Gen = 6: weights are normalised to sum 1, so that one of them is the unit of the others.
Selection   "oracle", as in the paper: validation patients' target images and masks.
Reported    section 4.3.3: 6, 20, 2, then 3, 20; λ_seg is not printed, 20 is the released code's.
Cost        tiny: about three hours on two cores; --dry-run tells, once a stage was timed.

    python studies/mgenseg_staged_search.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.mgenseg import MGENSEG
from medsearch.study import FullLength, Group, Reaching, Refinement, StagedSearch, loguniform

GEN, MOD, SEG = "segmentation.weights.gen", "segmentation.weights.mod", "segmentation.weights.seg"
WHOLE = FullLength(because="adversarial learning curves cross: what leads early need not win")
NO_TRANSLATION = {f"{MOD}.adv": 0.0, f"{MOD}.cyc": 0.0}

STUDY = StagedSearch(
    name="mgenseg_staged_search",
    question="Which weights does M-GenSeg need, tuned one part of the method after another?",
    method=MGENSEG,
    task=CrossModalityTask(source="t1", target="t2"),
    groups=(
        Group(
            name="genseg",
            space={f"{GEN}.rec": loguniform(2, 200), f"{GEN}.lat": loguniform(0.2, 20)},
            objective={"validation/localisation": "maximize"},
            freeze=Reaching(metric="validation/diversity", at_least=0.1),
            fixed={SEG: 0.0, **NO_TRANSLATION},
            trials={"tiny": 6, "small": 20, "paper": 40},
            scheduler=WHOLE,
        ),
        Group(
            name="modality",
            space={f"{MOD}.adv": loguniform(0.3, 30), f"{MOD}.cyc": loguniform(2, 200)},
            objective={"validation/translation": "minimize"},
            fixed={SEG: 0.0},
            trials={"tiny": 6, "small": 20, "paper": 40},
            scheduler=WHOLE,
        ),
        Group(
            name="segmentation",
            space={SEG: loguniform(2, 200)},
            trials={"tiny": 4, "small": 12, "paper": 20},
            finalists={"tiny": 2, "small": 3, "paper": 3},
            scheduler=WHOLE,
        ),
    ),
    selection="oracle",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    fixed={f"{GEN}.adv": 6.0},
    published={
        f"{GEN}.adv": 6.0,
        f"{GEN}.rec": 20.0,
        f"{GEN}.lat": 2.0,
        f"{MOD}.adv": 3.0,
        f"{MOD}.cyc": 20.0,
        SEG: 20.0,
    },
    published_in="M-GenSeg, section 4.3.3; λ_seg as released",
    refinement=Refinement(
        trials={"tiny": 4, "small": 12, "paper": 30}, finalists={"tiny": 1, "small": 2, "paper": 3}, factor=2.0
    ),
    cost="tiny: about three hours on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
