"""Figures 4.4 and 4.5: how does target Dice fall when fewer source cases are annotated?

Rows        1, 10, 40, 70 and 100 % of the source annotated, for M-GenSeg, AccSegNet, AttENT and the U-Net with
            M-GenSeg's backbone on source labels alone; no target case is annotated. λ_seg of M-GenSeg is the same for
            all fractions (lambda_seg_schedule.py asks whether it should be). AttENT's ResNet-101 starts from random
            weights unless its knob segmentation.deeplab names a file of others. "Target supervised" is what shares are
            taken of.
Columns     BraTS T1 → T2.
Shown       Dice over the diseased slices of every test case, as in section 4.4.1, and of all of them together, which is
            what the paper's is taken to be and compared with.
Selection   "oracle": target validation masks; the U-Net is selected on the labels it trains with.
Cost        tiny: about an hour on two cores; --dry-run tells.

    python studies/mgenseg_figure_4_4.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET
from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.reported import REPORTED
from medsearch.study import Ablation, Curves, Variant, grid

FRACTIONS = {"task.source_labels": (0.01, 0.1, 0.4, 0.7, 1.0)}

STUDY = Ablation(
    name="mgenseg_figure_4_4",
    question="How does target Dice fall when fewer source cases are annotated?",
    method=MGENSEG,
    tasks={"T1 → T2": CrossModalityTask(source="t1", target="t2")},
    variants=(
        *grid(FRACTIONS, label="M-GenSeg, {source_labels:.0%}", line="M-GenSeg"),
        *grid(FRACTIONS, label="AccSegNet, {source_labels:.0%}", line="AccSegNet", method=ACCSEGNET),
        *grid(FRACTIONS, label="AttENT, {source_labels:.0%}", line="AttENT", method=ATTENT),
        *grid(FRACTIONS, label="Source sup., {source_labels:.0%}", line="Source sup.", method=SUPERVISED_UNET),
    ),
    references=(
        Variant(
            "Target supervised",
            {"segmentation.supervision": "target", "task.target_labels": 1.0},
            method=SUPERVISED_UNET,
        ),
    ),
    selection="oracle",
    seeds={"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Figure 4.4"],
    figure=Curves(x="task.source_labels", title="Dice on T2 by annotated T1"),
    cost="tiny: about an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
