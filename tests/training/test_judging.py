import pytest
import torch

from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.training.judging import judged
from medsearch.training.runtime import Runtime
from tests.micro import RECIPE


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_batches_judged_together_score_as_they_do_alone_and_in_fp32(precision: str) -> None:
    torch.manual_seed(0)
    judge, runtime = MultiScaleDiscriminator(RECIPE.segmentation.discriminator), Runtime(precision=precision)
    real, fake = torch.randn(2, 1, 8, 16, 8), torch.randn(3, 1, 8, 16, 8)
    together = judged(judge, runtime, real, fake)
    for scores, images in zip(together, (real, fake), strict=True):
        (alone,) = judged(judge, runtime, images)
        assert len(scores) == len(alone) == 2
        for one, other in zip(scores, alone, strict=True):
            assert one.dtype == torch.float32
            torch.testing.assert_close(one, other, atol=0.02 if precision == "bf16" else 1e-5, rtol=1e-3)
