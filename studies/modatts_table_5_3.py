"""Table 5.3: how well does MoDATTS segment vestibular schwannomas in hrT2, trained on annotated T1ce alone?

Row         MoDATTS, self-supervised, all source cases annotated; five segmentors vote at paper scale, as in the paper.
            The four teams that the paper compares with are reported only.
Columns     Dice and ASSD over whole volumes as the challenge scores them: mean of the two directed mean distances,
            350 mm where nothing is found; but on the registered block, in the atlas's millimetres, where the challenge
            took each file's own grid. Cases without test masks are predicted, not scored.
Selection   "pseudo-target": translated source masks, since the target has none.
Cost        tiny: about 10 minutes on two cores; --dry-run tells.

    python studies/modatts_table_5_3.py --data CrossMoDA2022 --scale paper --address auto
"""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.reported import relabelled
from medsearch.methods.modatts import CROSSMODA, MODATTS
from medsearch.methods.modatts.reported import REPORTED
from medsearch.study import Ablation, GroupedBars, Variant

COLUMN = "CrossMoDA : T1ce → hrT2"

STUDY = Ablation(
    name="modatts_table_5_3",
    question="How well does MoDATTS segment vestibular schwannomas in hrT2, trained on annotated T1ce alone?",
    method=MODATTS.configured(variant="self-supervised"),
    tasks={COLUMN: CrossModalityTask(layout="crossmoda2022", source="ceT1", target="hrT2")},
    fixed=CROSSMODA,
    variants=(Variant("MoDATTS"),),
    metrics=("test/dice", "test/assd"),
    selection="pseudo-target",
    seeds={"tiny": (0, 1), "small": (0, 1, 2), "paper": (0,)},
    reported=relabelled(REPORTED["Table 5.3"], columns={"VS Dice": COLUMN, "VS ASSD": COLUMN}),
    figure=GroupedBars(),
    cost="tiny: about 10 minutes on two cores; small, paper: see --dry-run once a stage of that scale was timed",
)

if __name__ == "__main__":
    run(STUDY)
