"""Figure 4.2: where do M-GenSeg's decoders look, and what does it take off a diseased image?

Figures     (a) attention of the finest two gates of each decoder, over the slice that it decodes: common and residual
            for presence → absence, segmentation, translation to the other modality. (b) diseased target slices,
            made healthy, what was taken away, and the segmentation.
Rows        M-GenSeg, all source cases annotated, no target case.
Columns     T1 → T2 and the three other targets of the paper's figure.
Selection   "oracle": target validation masks.
Cost        tiny: about a quarter of an hour on two cores; stages of Tables 4.1 and 4.3 are found again.

    python studies/mgenseg_figure_4_2.py
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.methods.mgenseg import MGENSEG
from medsearch.study import Ablation, Panels, Variant

PAIRS = {"T1 → T2": ("t1", "t2"), "T2 → T1": ("t2", "t1"), "T2 → FLAIR": ("t2", "flair"), "T1 → T1ce": ("t1", "t1ce")}

STUDY = Ablation(
    name="mgenseg_figure_4_2",
    question="Where do M-GenSeg's decoders look, and what does it take off a diseased image?",
    method=MGENSEG,
    tasks={label: CrossModalityTask(source=source, target=target) for label, (source, target) in PAIRS.items()},
    variants=(Variant("M-GenSeg"),),
    selection="oracle",
    seeds=(0,),
    figure=Panels(kinds=("attention", "residuals")),
    cost="tiny: a quarter of an hour on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
