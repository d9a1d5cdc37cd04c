"""The self-supervised body regressor: where in the abdomen an axial slice lies, from -1 (lungs) to 1 (bowel).

MONAI's ResNet-34 in torchvision's form: equal names, equal output for equal weights. 21 278 913 parameters with one
channel in and one number out.
"""

import logging
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.core.files import digest
from medsearch.methods.ssbr_cyclegan.config import RegressorConfig
from medsearch.methods.ssbr_cyclegan.losses import total
from medsearch.methods.ssbr_cyclegan.recipe import KNOB, WANTED, RegressorWeights
from medsearch.methods.ssbr_cyclegan.stacks import StackBatch
from medsearch.networks.published import load_backbone
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

LOG = logging.getLogger(__name__)
SLICES = 64
"""Scored at once."""


@final
class Regressor(nn.Module):
    """Slices in [-1, 1] to scores."""

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__()
        from monai.networks.nets.resnet import ResNet  # takes seconds

        self.network = ResNet(
            "basic",
            list(config.units),
            [config.width * 2**stage for stage in range(4)],
            spatial_dims=2,
            n_input_channels=1,
            conv1_t_size=7,
            conv1_t_stride=2,
            num_classes=1,
            bias_downsample=False,
        )

    def forward(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, " n"]:
        """One score a slice, in fp32."""
        s: Tensor = self.network(x).squeeze(1)
        return s.float()

    def stacks(self, x: Float[Tensor, "k p 1 h w"]) -> Float[Tensor, "k p"]:
        """Scores of stacks, all slices in one pass."""
        s: Tensor = self(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return s


def start_from_imagenet(regressor: Regressor, path: str) -> str:
    """Fill all but the output from the file, if a path is given; say which, by its digest.

    The first convolution is summed over the file's three channels, so that a grey image gives what it would there.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    if not path:
        return "random"
    load_backbone(regressor.network, Path(path), wanted=WANTED, grey=True)
    found = digest(path, knob=KNOB, wanted=WANTED)
    LOG.info("the body regressor starts from %s (%s)", path, found)
    return found


def terms(regressor: Regressor, batch: StackBatch, lam: RegressorWeights, *, runtime: Runtime) -> dict[str, Tensor]:
    """Eq. 4 of some stacks, for `supervised_step`: over all parts of a batch it is the sum that is printed."""
    with autocast(runtime):
        s = regressor.stacks(batch.x)
    return {name: batch.emphasis * term for name, term in total(s, batch.bm, lam).items()}


@torch.no_grad()
def scores(regressor: Regressor, slices: NDArray[np.float32], runtime: Runtime) -> NDArray[np.float32]:
    """Of a patient's slices (n, h, w) in [-1, 1], by a regressor in eval mode."""
    parts = torch.split(torch.from_numpy(slices).unsqueeze(1), runtime.at_once(SLICES))
    with autocast(runtime):
        found = [regressor(part.to(runtime.device)).cpu() for part in parts]
    as_array: NDArray[np.float32] = torch.cat(found).numpy()
    return as_array
