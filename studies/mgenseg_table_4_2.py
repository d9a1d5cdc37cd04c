"""Table 4.2: how close does M-GenSeg come to supervised models when both modalities are fully annotated?

Rows        the supervised U-Net with M-GenSeg's backbone, trained on both modalities together; UAGAN; M-GenSeg.
Columns     the 6 pairs of BraTS' contrasts, each scored on either modality: one training, two tests.
Shown       Dice over the diseased slices of every test case, as in section 4.4.1, and of all of them together, which is
            what the paper's is taken to be and compared with.
Selection   "oracle": every row on the validation masks of both modalities, as in the released code.
Cost        tiny: hours on two cores; --dry-run tells. `--only M-GenSeg` runs one row.

    python studies/mgenseg_table_4_2.py --data BraTS2020 --scale paper --address auto
"""

from itertools import combinations

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import SUPERVISED_UNET, UAGAN
from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

CONTRASTS = {"T1": "t1", "T1ce": "t1ce", "FLAIR": "flair", "T2": "t2"}
COLUMNS = {
    f"{first}/{second} : {scored}": (CONTRASTS[first], CONTRASTS[second], "source" if scored == first else "target")
    for first, second in combinations(CONTRASTS, 2)
    for scored in (first, second)
}

STUDY = Ablation(
    name="mgenseg_table_4_2",
    question="How close does M-GenSeg come to supervised models when both modalities are fully annotated?",
    method=MGENSEG,
    tasks={
        label: CrossModalityTask(source=source, target=target, target_labels=1.0)
        for label, (source, target, _) in COLUMNS.items()
    },
    within={label: {"evaluation.domain": domain} for label, (_, _, domain) in COLUMNS.items()},
    variants=(
        Variant("Supervised Unet", {"segmentation.supervision": "both"}, method=SUPERVISED_UNET, against="M-GenSeg"),
        Variant("UAGAN", method=UAGAN, against="M-GenSeg"),
        Variant("M-GenSeg", {"segmentation.selected_on": "both"}),
    ),
    selection="oracle",
    seeds={"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Table 4.2"],
    figure=GroupedBars(title="Dice with both modalities annotated"),
    cost="tiny: hours on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
