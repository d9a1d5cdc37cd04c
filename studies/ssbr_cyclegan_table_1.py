"""Table 1: what do slice selection, anatomical constraint, input addition and binary mask add to a CycleGAN on CT?

Rows        PBS and an affine registration per iteration, which the method is compared with; selection by the body
            regressor's score; then, one on top of the other, L_ACL, input addition, and the binary mask at inference.
Columns     CT → ceCT and ceCT → CT; one training serves both.
Shown       MSE, SSIM and PSNR (of slices, and of volumes as the paper's must be) on [-1, 1] over the abdomens of
            pairs, and the hours of training: those of the stages that a row takes, the regressor's in every row that
            takes it, though it is trained once. They are by the clock: --gpus-per-trial 1 keeps runs from slowing
            each other.
Compared    selections with PBS, additions with the row above, pair by pair.
Selection   "none": the last epoch, as in the paper. No pair is seen before the test.
Cost        tiny: about half an hour on two cores; --dry-run tells.

    python studies/ssbr_cyclegan_table_1.py --data TCIA --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.core.reported import relabelled
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1
from medsearch.methods.ssbr_cyclegan.reported import CECT_TO_CT, CT_TO_CECT, REPORTED
from medsearch.study import Ablation, Variant

AGAINST = {
    "AFFINE REG.": "PBS",
    "SSBR selection": "PBS",
    "+L_ACL": "SSBR selection",
    "+ input addition": "+L_ACL",
    "+ binary mask": "+ input addition",
}
"""Selections are compared with PBS, additions with the row that they are added to."""

STUDY = Ablation(
    name="ssbr_cyclegan_table_1",
    question="What do slice selection, anatomical constraint, input addition and binary mask add to a CycleGAN on CT?",
    method=SSBR_CYCLEGAN,
    tasks={"CT → ceCT": SynthesisTask(), "ceCT → CT": SynthesisTask(direction="backward")},
    variants=tuple(Variant(row, knobs, against=AGAINST.get(row, "")) for row, knobs in TABLE_1.items()),
    selection="none",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    metrics=("test/mse", "test/ssim", "test/psnr", "test/psnr_volume", "test/training_hours"),
    reported=relabelled(REPORTED["Table 1"], columns={CT_TO_CECT: "CT → ceCT", CECT_TO_CT: "ceCT → CT"}),
    cost="tiny: about half an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
