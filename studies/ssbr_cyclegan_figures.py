"""Figures 2 and 3: what does each method make of slices that nothing was trained on?

Figures     (a) unpaired held-out cases, as in the paper: the slice that is given, and what each row of Table 1 makes of
            it. (b) pairs, which the paper scores but does not show: the same, and the slice that is wanted.
            Of Fig. 2 only CycleGAN with PBS is here; the other synthesis methods that it compares are not built.
Rows        those of Table 1; its stages are found again.
Columns     CT → ceCT (Fig. 3, top) and ceCT → CT (bottom).
Selection   "none": the last epoch.
Cost        tiny: minutes after ssbr_cyclegan_table_1, of which the first seed is shown; about 20 minutes without it.

    python studies/ssbr_cyclegan_figures.py
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import TABLE_1
from medsearch.study import Ablation, Panels, Variant

STUDY = Ablation(
    name="ssbr_cyclegan_figures",
    question="What does each method make of slices that nothing was trained on?",
    method=SSBR_CYCLEGAN,
    tasks={"CT → ceCT": SynthesisTask(), "ceCT → CT": SynthesisTask(direction="backward")},
    variants=tuple(Variant(row, knobs) for row, knobs in TABLE_1.items()),
    selection="none",
    seeds=(0,),
    metrics=("test/ssim",),
    figure=Panels(kinds=("unpaired", "pairs"), across="made"),
    cost="tiny: about 20 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
