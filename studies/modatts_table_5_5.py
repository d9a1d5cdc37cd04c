"""Table 5.5: what do tumour-aware translation, self-training and the diseased-healthy translation contribute?

Rows        the paper's seven. All source cases annotated, self-supervised: without tumour-aware translation (λ_seg of
            Eq. 5.4 = 0) and self-training, without self-training, as proposed. 1 % annotated, semi-supervised: without
            the diseased-healthy translation, without its A→P direction, with separate residual and segmentation
            decoders, as proposed. "Target supervised" is what shares are taken of.
Columns     BraTS T1 → T2 and CrossMoDA T1ce → hrT2, which has stronger reconstruction weights, augmented and up-sampled
            tumours, and no annotated target case: no "Target supervised" and no target masks to select on. There
            five segmentors vote at paper scale, as in the paper, and one at the others.
Shown       on BraTS the mean over cases of Dice, and Dice pooled over all diseased halves, which is what the paper's is
            taken to be and compared with; on CrossMoDA the mean over cases, as the paper's spreads say.
Frozen      every other knob: no row is tuned, so a row could be better under settings of its own.
Selection   as in the paper: target validation masks on BraTS ("oracle"), translated source masks on CrossMoDA.
Cost        tiny: under 45 minutes on two cores, both columns, two seeds; --dry-run tells.

    python studies/modatts_table_5_5.py --dry-run
    python studies/modatts_table_5_5.py --scale paper --data brats2020=BraTS2020 --data crossmoda2022=CrossMoDA
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import CROSSMODA, MODATTS
from medsearch.methods.modatts.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

BRATS, CROSSMODA_2022 = "BraTS : T1 → T2", "CrossMoDA : T1ce → hrT2"
SELF, SEMI = MODATTS.configured(variant="self-supervised"), MODATTS.configured(variant="semi-supervised")
ALL, FEW = {"task.source_labels": 1.0}, {"task.source_labels": 0.01}

STUDY = Ablation(
    name="modatts_table_5_5",
    question="What do tumour-aware translation, self-training and diseased-healthy translation contribute?",
    method=SELF,
    tasks={
        BRATS: CrossModalityTask(layout="brats2020", source="t1", target="t2"),
        CROSSMODA_2022: CrossModalityTask(layout="crossmoda2022", source="ceT1", target="hrT2"),
    },
    within={CROSSMODA_2022: CROSSMODA},
    variants=(
        Variant(
            "w/o TAMT w/o ST",
            {**ALL, "translation.weights.seg": 0.0, "self_training.rounds": 0},
            against="w/o ST",
        ),
        Variant("w/o ST", {**ALL, "self_training.rounds": 0}, against="Proposed (Self-sup.)"),
        Variant("Proposed (Self-sup.)", ALL),
        Variant(
            "w/o P → A and A → P",
            {**FEW, "segmentation.translate": "none"},
            method=SEMI,
            against="Proposed (Semi-sup.)",
        ),
        Variant(
            "w/o A → P",
            {**FEW, "segmentation.translate": "presence-to-absence"},
            method=SEMI,
            against="Proposed (Semi-sup.)",
        ),
        Variant(
            "w/o dual-use Res./Seg.",
            {**FEW, "segmentation.decoders": "separate"},
            method=SEMI,
            against="Proposed (Semi-sup.)",
        ),
        Variant("Proposed (Semi-sup.)", FEW, method=SEMI),
    ),
    references=(
        Variant(
            "Target supervised",
            {"segmentation.supervision": "target", "task.target_labels": 1.0},
            tasks=(BRATS,),
        ),
    ),
    selection={BRATS: "oracle", CROSSMODA_2022: "pseudo-target"},
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Table 5.5"],
    figure=GroupedBars(),
    cost="tiny: under 45 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
