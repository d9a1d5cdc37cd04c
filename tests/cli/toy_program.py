"""A study file as users write them: its method lies in a folder that it puts on the module path itself."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from medsearch.cli import run
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override
from medsearch.study import TPE, FullLength, Search, loguniform
from tests.study import toy

STUDY = Search(
    name="toy_program",
    question="Which λ makes the toy best?",
    method=toy.TOY.configured(base=override(toy.ToyRecipe(), json.loads(os.environ.get("TOY", "{}")))),
    task=CrossModalityTask(),
    space={"segmentation.weights.a": loguniform(0.1, 1000)},
    selection="oracle",
    sampler=TPE(startup=2),
    scheduler=FullLength(because="a toy"),
    trials=2,
    finalists=0,
    seeds=(0,),
)

if __name__ == "__main__":
    run(STUDY)
