"""Whole cases, slice by slice."""

import numpy as np
import pytest
import torch

from medsearch.cohorts.views import view
from medsearch.networks.cyclegan import Translator
from medsearch.training.inference import SliceTranslator, slicewise
from medsearch.training.runtime import Runtime
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE
from tests.micro import Micro


@pytest.mark.parametrize("micro_batch", [0, 3])
def test_volumes_go_through_slice_by_slice_and_come_back_in_place(micro_batch: int) -> None:
    sizes: list[int] = []

    def segment(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        assert not torch.is_grad_enabled()
        return x + x.mean((1, 2, 3), keepdim=True)

    volumes = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    found = slicewise(segment, Runtime(micro_batch=micro_batch))(volumes)
    np.testing.assert_allclose(found, volumes + volumes.mean((2, 3), keepdims=True), rtol=1e-5, atol=1e-6)
    assert sizes == ([3, 3, 3, 1] if micro_batch else [10])


def test_in_parts_is_as_at_once_and_what_finishes_sees_the_case(ct: Micro) -> None:
    run = ct.runs(test=True)["test"]
    task = view(ct.prepared, run.task, run.stage.reads())
    given, _ = task.pair("test", task.pairs("test")[0])
    translator = Translator(RECIPE.translation.cyclegan.generator).eval()
    whole, parts = (SliceTranslator(translator, Runtime(micro_batch=size))(given) for size in (0, 3))
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    assert whole.shape == given.images().shape
    assert whole.std() > 0
    told = []
    SliceTranslator(translator, Runtime(), finish=lambda made, of: (told.append(of), made)[1])(given)
    assert told == [given]
