"""Whole cases through a translator."""

import numpy as np

from medsearch.data.views import view
from medsearch.networks.cyclegan import Translator
from medsearch.stages.context import Runtime
from medsearch.training.synthesising import Synthesising
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE
from tests.micro import Micro


def test_in_parts_is_as_at_once_and_what_finishes_sees_the_case(ct: Micro) -> None:
    run = ct.runs(test=True)["test"]
    task = view(ct.prepared, run.task, run.stage.reads())
    given, _ = task.pair("test", task.pairs("test")[0])
    translator = Translator(RECIPE.translation.cyclegan.generator).eval()
    whole, parts = (Synthesising(translator, Runtime(micro_batch=size))(given) for size in (0, 3))
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    assert whole.shape == given.images().shape
    assert whole.std() > 0
    told = []
    Synthesising(translator, Runtime(), finish=lambda made, of: (told.append(of), made)[1])(given)
    assert told == [given]
