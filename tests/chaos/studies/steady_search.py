"""A search of the steady method's rates. Random proposals depend on their number alone, whatever ends first."""

from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.study import FullLength, Random, Search, Variant, uniform
from tests.chaos.studies.steady import STEADY

STUDY = Search(
    name="steady_search",
    question="Which rate makes a number best?",
    method=STEADY,
    task=CrossModalityTask(source="t1", target="t2"),
    space={"segmentation.rate": uniform(3.6, 4.0)},
    selection="oracle",
    sampler=Random(),
    scheduler=FullLength(because="the curves are chaos"),
    trials=8,
    finalists=1,
    seeds=(0, 1),
    references=(Variant("As written", {}),),
)

if __name__ == "__main__":
    run(STUDY)
