"""Table 4.3 and Figure 4.3: how well does M-GenSeg segment an unannotated modality, beside other adaptations?

Rows        the paper's four: the U-Net with M-GenSeg's backbone on source labels alone (Sup), AttENT, AccSegNet,
            M-GenSeg. AttENT's ResNet-101 starts from random weights unless its knob segmentation.deeplab names a file
            of others. Not in the table: UAGAN with all labels of both modalities, the bar of Figure 4.3, and the same
            U-Net on target labels, of which shares are taken.
Columns     the 12 pairs of source and target among BraTS' four contrasts, all source cases annotated, no target case.
Shown       Dice over the diseased slices of every test case, as in section 4.4.1, and of all of them together, which is
            what the paper's is taken to be and compared with.
Frozen      every other knob: each method has its own defaults, none is tuned for a pair.
Selection   "oracle": target validation masks; Sup and UAGAN are selected on the labels they train with, UAGAN on those
            of both modalities. (The paper says "highest validation Dice", its code pools both.)
Cost        tiny: hours on two cores; --dry-run tells. `--only Mgen` runs one row.

    python studies/mgenseg_table_4_3.py --data BraTS2020 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET, UAGAN
from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

SOURCES = {"T1": "t1", "T1ce": "t1ce", "FLAIR": "flair", "T2": "t2"}
TARGETS = {"T1": "t1", "T1ce": "t1ce", "Flair": "flair", "T2": "t2"}
"""As the table prints them."""

STUDY = Ablation(
    name="mgenseg_table_4_3",
    question="How well does M-GenSeg segment an unannotated modality, beside other adaptations?",
    method=MGENSEG,
    tasks={
        f"{printed_source} → {printed_target}": CrossModalityTask(source=source, target=target)
        for printed_source, source in SOURCES.items()
        for printed_target, target in TARGETS.items()
        if source != target
    },
    variants=(
        Variant("Sup", {"segmentation.supervision": "source"}, method=SUPERVISED_UNET, against="Mgen"),
        Variant("Att", method=ATTENT, against="Mgen"),
        Variant("Acc", method=ACCSEGNET, against="Mgen"),
        Variant("Mgen"),
    ),
    references=(
        Variant("UAGAN", {"task.target_labels": 1.0}, method=UAGAN),
        Variant(
            "Target supervised",
            {"segmentation.supervision": "target", "task.target_labels": 1.0},
            method=SUPERVISED_UNET,
        ),
    ),
    selection="oracle",
    seeds={"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2)},
    reported=REPORTED["Table 4.3"],
    figure=GroupedBars(title="Dice on the target modality"),
    cost="tiny: hours on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
