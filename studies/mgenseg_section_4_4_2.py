"""Section 4.4.2: which fraction of the target must be annotated to reach fully supervised UAGAN?

Rows        M-GenSeg with 0, 10, 25, 50 and 100 % of the target's training cases annotated, all source cases being so.
            "UAGAN", with all labels of both modalities, is what shares are taken of.
Columns     BraTS T1 → T2.
Shown       Dice over the diseased slices of every test case, as in section 4.4.1, and of all of them together, which is
            what the paper's is taken to be and compared with.
Selection   "oracle": target validation masks; UAGAN is selected on those of both modalities, which it trains with.
Cost        tiny: about half an hour on two cores; --dry-run tells.

    python studies/mgenseg_section_4_4_2.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import UAGAN
from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.reported import REPORTED
from medsearch.study import Ablation, Curves, Variant, grid

STUDY = Ablation(
    name="mgenseg_section_4_4_2",
    question="Which fraction of the target must be annotated to reach fully supervised UAGAN?",
    method=MGENSEG,
    tasks={"T1 → T2": CrossModalityTask(source="t1", target="t2")},
    variants=grid(
        {"task.target_labels": (0.0, 0.1, 0.25, 0.5, 1.0)}, label="M-GenSeg, {target_labels:.0%}", line="M-GenSeg"
    ),
    references=(Variant("UAGAN", {"task.target_labels": 1.0}, method=UAGAN),),
    supervised="UAGAN",
    selection="oracle",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Section 4.4.2"],
    figure=Curves(x="task.target_labels", title="Dice on T2 by annotated T2"),
    cost="tiny: about half an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
