"""Table 4.1: what do image-level supervision, healthy images, both directions and one latent space contribute?

Rows        M-GenSeg, and without: image-level supervision (λ_adv^Gen, λ_rec^Gen and λ_lat^Gen are 0), modality
            translation of healthy images, translation from absence to presence, and a latent space shared by
            image-level supervision and modality translation. All source cases are annotated, no target case is.
Columns     BraTS T1 → T2; of which pairs the paper's table is, it does not say.
Shown       Dice over the diseased slices of every test case, as in section 4.4.1, and of all of them together, with the
            relative change of either in %; the paper's is taken to be of the latter.
Frozen      every other knob: no row is tuned, so a row could be better under weights of its own.
Selection   "oracle": target validation masks. (The paper says "highest validation Dice", its code pools both
            modalities.)
Cost        tiny: about half an hour on two cores; --dry-run tells.

    python studies/mgenseg_table_4_1.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.reported import relabelled
from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

PROPOSED, COLUMN = "M-GenSeg", "T1 → T2"
NO_IMAGE_LEVEL = {f"segmentation.weights.gen.{term}": 0.0 for term in ("adv", "rec", "lat")}

STUDY = Ablation(
    name="mgenseg_table_4_1",
    question="What do image-level supervision, healthy images, both directions and one latent space contribute?",
    method=MGENSEG,
    tasks={COLUMN: CrossModalityTask(source="t1", target="t2")},
    variants=(
        Variant(PROPOSED),
        Variant("No image-level supervision", NO_IMAGE_LEVEL, against=PROPOSED),
        Variant("No healthy modality translation", {"segmentation.translate_modality": "diseased"}, against=PROPOSED),
        Variant(
            "No absence to presence translation", {"segmentation.translate": "presence-to-absence"}, against=PROPOSED
        ),
        Variant("Unshared latent spaces", {"segmentation.latent": "separate"}, against=PROPOSED),
    ),
    selection="oracle",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=relabelled(REPORTED["Table 4.1"], columns={"Target modality": COLUMN}),
    figure=GroupedBars(title="Dice on the target modality"),
    cost="tiny: about half an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
