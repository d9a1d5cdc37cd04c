"""Table 5.4: which fraction of the target must be annotated to match a target-supervised model?

Columns     0, 10, 20, 30 and 50 % of the target's training cases annotated, BraTS T2 → T1ce. The translators see no
            target mask, so all columns share them, and the target-supervised model is one for all.
Row         MoDATTS, self-supervised, all source cases annotated. "Target supervised" is what the share is taken of.
Selection   as in the paper: target validation masks ("oracle").
Cost        tiny: about 20 minutes on two cores; --dry-run tells.

    python studies/modatts_table_5_4.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.5)

STUDY = Ablation(
    name="modatts_table_5_4",
    question="Which fraction of the target must be annotated to match a target-supervised model?",
    method=MODATTS.configured(variant="self-supervised"),
    tasks={f"{part:.0%}": CrossModalityTask(source="t2", target="t1ce", target_labels=part) for part in FRACTIONS},
    variants=(Variant("T1ce Dice Score"),),
    references=(Variant("Target supervised", {"segmentation.supervision": "target", "task.target_labels": 1.0}),),
    selection="oracle",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Table 5.4"],
    figure=GroupedBars(),
    cost="tiny: about 20 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
