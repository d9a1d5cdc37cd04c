"""Does it help a CycleGAN on CT at all to be shown slices of one place in two bodies? The paper starts from PBS.

Rows        a plain CycleGAN, whose slices are drawn independently; then the three ways of the paper's Table 1 to pair
            them, without constraint, input addition or mask. The paper has no plain row, so nothing is reported.
Columns     CT → ceCT and ceCT → CT; one training serves both.
Shown       MSE and SSIM on [-1, 1] over the abdomens of pairs, and the hours of training.
Compared    each way of pairing with none, pair by pair.
Selection   "none": the last epoch.
Cost        tiny: minutes after ssbr_cyclegan_table_1, of which all but the first row are; --dry-run tells.

    python studies/ssbr_cyclegan_selection.py --data TCIA --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.methods.cyclegan import CYCLEGAN
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1
from medsearch.study import Ablation, Variant

PLAIN = "CycleGAN"
PAIRED = ("PBS", "AFFINE REG.", "SSBR selection")

STUDY = Ablation(
    name="ssbr_cyclegan_selection",
    question="Does it help a CycleGAN on CT at all to be shown slices of one place in two bodies?",
    method=SSBR_CYCLEGAN,
    tasks={"CT → ceCT": SynthesisTask(), "ceCT → CT": SynthesisTask(direction="backward")},
    variants=(
        Variant(PLAIN, method=CYCLEGAN),
        *(Variant(row, TABLE_1[row], against=PLAIN) for row in PAIRED),
    ),
    selection="none",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    metrics=("test/mse", "test/ssim", "test/training_hours"),
    cost="tiny: about 20 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
