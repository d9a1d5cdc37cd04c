"""Figure 5.8: how does target Dice fall when fewer source cases are annotated?

Columns     BraTS T1 → T2 and T2 → T1, CrossMoDA T1ce → hrT2 (there five segmentors vote at paper scale); no target
            case is annotated.
Rows        1, 10, 40, 70 and 100 % of the source annotated, self- and semi-supervised; λ_seg of Eq. 5.12 follows the
            fraction as in section 5.5.1, except at tiny scale, where it stays. Translators are retrained for each
            fraction and shared by both variants. On BraTS also AccSegNet and AttENT, which see slices and need to know
            which of them are diseased; CrossMoDA's target says that of halves alone. All are scored on whole halves.
            AttENT's ResNet-101 starts from random weights unless its knob segmentation.deeplab names a file of others.
Selection   as in the paper: target validation masks on BraTS ("oracle"), translated source masks on CrossMoDA.
Cost        tiny: about two hours on two cores; --dry-run tells.

    python studies/modatts_figure_5_8.py --data brats2020=BraTS2020 --data crossmoda2022=CrossMoDA --scale paper
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import ACCSEGNET, ATTENT
from medsearch.methods.modatts import CROSSMODA, MODATTS
from medsearch.methods.modatts.reported import REPORTED
from medsearch.study import Ablation, Curves, Variant, grid

T1_TO_T2, T2_TO_T1, T1CE_TO_HRT2 = "BraTS : T1 → T2", "BraTS : T2 → T1", "CrossMoDA : T1ce → hrT2"
FRACTIONS = {"task.source_labels": (0.01, 0.1, 0.4, 0.7, 1.0)}
SLICES = {**FRACTIONS, "evaluation.scored": ("halves",)}
BRATS = (T1_TO_T2, T2_TO_T1)

STUDY = Ablation(
    name="modatts_figure_5_8",
    question="How does target Dice fall when fewer source cases are annotated?",
    method=MODATTS.configured(variant="self-supervised"),
    tasks={
        T1_TO_T2: CrossModalityTask(source="t1", target="t2"),
        T2_TO_T1: CrossModalityTask(source="t2", target="t1"),
        T1CE_TO_HRT2: CrossModalityTask(layout="crossmoda2022", source="ceT1", target="hrT2"),
    },
    within={T1CE_TO_HRT2: CROSSMODA},
    variants=(
        *grid(FRACTIONS, label="Self-supervised, {source_labels:.0%}", line="MoDATTS (self-supervised)"),
        *grid(
            FRACTIONS,
            label="Semi-supervised, {source_labels:.0%}",
            method=MODATTS.configured(variant="semi-supervised"),
            line="MoDATTS (semi-supervised)",
        ),
        *grid(SLICES, label="AccSegNet, {source_labels:.0%}", method=ACCSEGNET, line="AccSegNet", tasks=BRATS),
        *grid(SLICES, label="AttENT, {source_labels:.0%}", method=ATTENT, line="AttENT", tasks=BRATS),
    ),
    references=(
        Variant(
            "Target supervised",
            {"segmentation.supervision": "target", "task.target_labels": 1.0},
            tasks=BRATS,
        ),
    ),
    selection={T1_TO_T2: "oracle", T2_TO_T1: "oracle", T1CE_TO_HRT2: "pseudo-target"},
    seeds={"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Figure 5.8"],
    figure=Curves(x="task.source_labels", title="Dice on the target modality by annotated source"),
    cost="tiny: about two hours on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
