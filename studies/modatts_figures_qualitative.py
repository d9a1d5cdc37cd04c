"""Figures 5.4-5.6, 5.9 and 5.10: what do translations, residuals, attention and self-training look like?

Figures     5.4, 5.5: source slices translated to the target, tumours outlined. 5.6: diseased target images, translated
            to healthy ones, and what was taken away. 5.9: where the most confident attention heads look. 5.10: test
            predictions before ("w/o ST") and after self-training.
Rows        self-supervised with and without self-training, all source cases annotated; semi-supervised at 1 %, for the
            residuals, which only that variant has.
Columns     four BraTS pairs of Figure 5.4 and CrossMoDA T1ce → hrT2.
Selection   as in the paper: target validation masks on BraTS ("oracle"), translated source masks on CrossMoDA.
Cost        tiny: about half an hour on two cores; stages of Table 5.5 are found again. --dry-run tells.

    python studies/modatts_figures_qualitative.py
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.modatts import CROSSMODA, MODATTS
from medsearch.study import Ablation, Panels, Variant

T1CE_TO_HRT2 = "CrossMoDA : T1ce → hrT2"
PAIRS = {
    "BraTS : T1 → T2": ("t1", "t2"),
    "BraTS : FLAIR → T1": ("flair", "t1"),
    "BraTS : T1ce → FLAIR": ("t1ce", "flair"),
    "BraTS : T2 → T1ce": ("t2", "t1ce"),
}

STUDY = Ablation(
    name="modatts_figures_qualitative",
    question="What do translations, residuals, attention and self-training look like?",
    method=MODATTS.configured(variant="self-supervised"),
    tasks={
        **{label: CrossModalityTask(source=source, target=target) for label, (source, target) in PAIRS.items()},
        T1CE_TO_HRT2: CrossModalityTask(layout="crossmoda2022", source="ceT1", target="hrT2"),
    },
    within={T1CE_TO_HRT2: CROSSMODA},
    variants=(
        Variant("w/o ST", {"task.source_labels": 1.0, "self_training.rounds": 0}, against="Proposed (Self-sup.)"),
        Variant("Proposed (Self-sup.)", {"task.source_labels": 1.0}),
        Variant(
            "Proposed (Semi-sup.)", {"task.source_labels": 0.01}, method=MODATTS.configured(variant="semi-supervised")
        ),
    ),
    selection={**dict.fromkeys(PAIRS, "oracle"), T1CE_TO_HRT2: "pseudo-target"},
    seeds=(0,),
    figure=Panels(kinds=("translations", "residuals", "attention", "self_training")),
    cost="tiny: about half an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
