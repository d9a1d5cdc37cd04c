"""Which weights and which generator make CT with and without contrast agent most alike, and for how many hours?

Searched    λ_ACL, λ_cyc and λ_idt of the CycleGAN; α, β and γ of the body regressor (Eq. 4). Architecture: width and
            depth of the generator, which is where the hours go.
Asked       two things at once: SSIM on pairs, and hours of training, the regressor's included. So there is a front and
            no best configuration; the page draws it. Hours are by the clock: run it on machines of one kind, and
            with --gpus-per-trial 1, for runs that share a GPU slow each other.
Selection   "oracle": SSIM is of half of the pairs, in the direction CT → ceCT; the test is of the other half. No epoch
            is picked by it, the last one counts. It is measured without the binary mask, which the test has.
Reported    section 3: α = 0.005, β = 1, γ = 10, found empirically; cyc and idt are CycleGAN's, λ_ACL is not printed.
Cost        tiny: about 45 minutes on two cores; --dry-run tells.

    python studies/ssbr_cyclegan_weight_search.py --data TCIA --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1
from medsearch.study import TPE, FullLength, Search, Variant, choice, loguniform, uniform

REGRESSOR, WEIGHTS, GENERATOR = "regressor.weights", "translation.weights", "translation.cyclegan.generator"

STUDY = Search(
    name="ssbr_cyclegan_weight_search",
    question="Which weights and which generator make CT and ceCT most alike, and for how many hours of training?",
    method=SSBR_CYCLEGAN,
    task=SynthesisTask(validation_pairs=0.5),
    space={
        f"{WEIGHTS}.acl": loguniform(0.1, 10),
        f"{WEIGHTS}.cyc": loguniform(1, 100),
        f"{WEIGHTS}.idt": uniform(0, 1),
        f"{REGRESSOR}.order": loguniform(5e-4, 0.5),
        f"{REGRESSOR}.anat": loguniform(0.1, 10),
        f"{REGRESSOR}.norm": loguniform(1, 100),
        f"{GENERATOR}.width": {
            "tiny": choice([4, 8, 12]),
            "small": choice([16, 24, 32]),
            "paper": choice([32, 64, 96]),
        },
        f"{GENERATOR}.blocks": {"tiny": choice([2, 3, 4]), "small": choice([4, 6, 9]), "paper": choice([6, 9, 12])},
    },
    published={
        f"{WEIGHTS}.cyc": 10.0,
        f"{WEIGHTS}.idt": 0.5,
        f"{REGRESSOR}.order": 0.005,
        f"{REGRESSOR}.anat": 1.0,
        f"{REGRESSOR}.norm": 10.0,
    },
    published_in="section 3, and CycleGAN",
    selection="oracle",
    objectives={"validation/ssim": "maximize", "training/hours": "minimize"},
    sampler=TPE(),
    scheduler=FullLength(because="adversarial learning curves cross: what leads early need not win"),
    searched_stage="regressor",
    trials={"tiny": 10, "small": 30, "paper": 60},
    finalists={"tiny": 2, "small": 3, "paper": 3},
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    references=(Variant("PBS", TABLE_1["PBS"]),),
    cost="tiny: about 45 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
