"""Three rows of the steady method over two seeds: translation is shared by the first two."""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.study import Ablation, Variant
from tests.chaos.studies.steady import STEADY

STUDY = Ablation(
    name="steady_sweep",
    question="What do rates contribute to a number?",
    method=STEADY,
    tasks={"t1 to t2": CrossModalityTask(source="t1", target="t2")},
    variants=(
        Variant("as proposed"),
        Variant("slower", {"segmentation.rate": 3.65}, against="as proposed"),
        Variant("slower throughout", {"segmentation.rate": 3.65, "translation.rate": 3.65}, against="as proposed"),
    ),
    selection="oracle",
    seeds=(0, 1),
    metrics=("test/dice", "test/assd"),
)

if __name__ == "__main__":
    run(STUDY)
