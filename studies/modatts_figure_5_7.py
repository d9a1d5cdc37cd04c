"""Figure 5.7: how far does MoDATTS close the gap between no adaptation and target supervision, for every pair?

Columns     the 12 pairs of source and target among BraTS' four contrasts, all source cases annotated, no target case.
Rows        "No adaptation" and "Target supervised", the lower and the upper bound, with the backbone of the 3D model;
            AccSegNet and AttENT, which see slices; MoDATTS in 2D and 3D, self-supervised. All are scored on whole
            diseased halves. AttENT's ResNet-101 starts from random weights unless its knob segmentation.deeplab names
            a file of others.
Selection   as in the paper: target validation masks ("oracle"); each bound is selected on the labels it trains with.
Cost        tiny: hours on two cores; --dry-run tells. `--only "MoDATTS (3D)"` runs one row.

    python studies/modatts_figure_5_7.py --data BraTS2020 --scale paper --address auto
"""

from itertools import permutations

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import ACCSEGNET, ATTENT
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

HALVES = {"evaluation.scored": "halves"}
CONTRASTS = {"T1": "t1", "T2": "t2", "T1ce": "t1ce", "FLAIR": "flair"}

STUDY = Ablation(
    name="modatts_figure_5_7",
    question="How far does MoDATTS close the gap between no adaptation and target supervision, for every pair?",
    method=MODATTS.configured(variant="self-supervised"),
    tasks={
        f"{source} → {target}": CrossModalityTask(source=CONTRASTS[source], target=CONTRASTS[target])
        for source, target in permutations(CONTRASTS, 2)
    },
    variants=(
        Variant("No adaptation", {"segmentation.supervision": "source"}, against="MoDATTS (3D)"),
        Variant("AttENT", HALVES, method=ATTENT, against="MoDATTS (3D)"),
        Variant("AccSegNet", HALVES, method=ACCSEGNET, against="MoDATTS (3D)"),
        Variant(
            "MoDATTS (2D)", method=MODATTS.configured(variant="self-supervised", dimensions=2), against="MoDATTS (3D)"
        ),
        Variant("MoDATTS (3D)"),
        Variant("Target supervised", {"segmentation.supervision": "target", "task.target_labels": 1.0}),
    ),
    selection="oracle",
    seeds={"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Figure 5.7"],
    figure=GroupedBars(title="Dice on the target modality"),
    cost="tiny: hours on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
