"""Images before a discriminator."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from medsearch.losses.adversarial import Scales
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

Judge = Callable[[Tensor], Sequence[Tensor]]


def judged(discriminator: Judge, runtime: Runtime, *images: Tensor) -> list[Scales]:
    """The fp32 scores of each batch of images, in one pass: discriminators normalise every sample by itself."""
    with autocast(runtime):
        scores = discriminator(torch.cat(images))
    parts = [torch.split(scale.float(), [len(batch) for batch in images]) for scale in scores]
    return [list(scales) for scales in zip(*parts, strict=True)]
