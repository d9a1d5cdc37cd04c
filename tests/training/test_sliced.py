import numpy as np
import pytest
import torch

from medsearch.training.runtime import Runtime
from medsearch.training.sliced import sliced


@pytest.mark.parametrize("micro_batch", [0, 3])
def test_volumes_go_through_slice_by_slice_and_come_back_in_place(micro_batch: int) -> None:
    sizes: list[int] = []

    def segment(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        assert not torch.is_grad_enabled()
        return x + x.mean((1, 2, 3), keepdim=True)

    volumes = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    found = sliced(segment, Runtime(micro_batch=micro_batch))(volumes)
    np.testing.assert_allclose(found, volumes + volumes.mean((2, 3), keepdims=True), rtol=1e-5, atol=1e-6)
    assert sizes == ([3, 3, 3, 1] if micro_batch else [10])
