"""What the segmentation stage looks at in one step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medsearch.data.geometry import Triple as Size
from medsearch.data.patches import cycled
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.methods.modatts.supervision import Supervision
from medsearch.training.adversarial import emphasis
from medsearch.training.crops import CropBatch


@dataclass(frozen=True)
class Triple:
    """One batch: annotated synthetic crops, diseased target crops (some annotated), healthy ones with sampled u."""

    synthetic: CropBatch
    diseased: CropBatch
    healthy: CropBatch
    u: Tensor
    emphasis: tuple[float, float] = (1.0, 1.0)
    """Of the Dice of synthetic and of target crops, where this is a part of a batch that has not its share of them."""

    def __len__(self) -> int:
        return max(len(crops.x) for crops in (self.synthetic, self.diseased, self.healthy))

    def __getitem__(self, part: slice) -> "Triple":
        """Some of every kind."""
        share = len(range(len(self))[part]) / len(self)
        synthetic, diseased = self.synthetic[part], self.diseased[part]
        weights = (
            emphasis(len(synthetic.y), len(self.synthetic.y), share=share),
            emphasis(len(diseased.y), len(self.diseased.y), share=share),
        )
        return Triple(synthetic, diseased, self.healthy[part], self.u[part], weights)

    def to(self, device: str) -> "Triple":
        """On another device."""
        synthetic, diseased, healthy = self.synthetic.to(device), self.diseased.to(device), self.healthy.to(device)
        return Triple(synthetic, diseased, healthy, self.u.to(device), self.emphasis)


def drawn(recipe: SegmentationRecipe, given: Supervision, rng: np.random.Generator) -> Iterator[Triple]:
    """One epoch: every list of crops is cycled to its length. Lists that no term looks at stay empty.

    Without translation only the annotated ones among the target crops are loaded.
    """
    known, size = given.diseased.annotated, recipe.batch
    diseased = given.diseased if recipe.generative or known else given.diseased.none()
    healthy = given.healthy if recipe.generative else given.healthy.none()
    length = math.ceil(given.epoch / size)
    lists = (cycled(len(crops), size, length, rng) for crops in (given.synthetic, diseased, healthy))
    augmenting = rng if recipe.augment else None
    for synthetic, sick, well in zip(*lists, strict=True):
        of_use = sick if recipe.generative else [index for index in sick if index in known]
        yield Triple(
            given.synthetic.load(synthetic, augmenting),
            diseased.load(of_use, augmenting),
            healthy.load(well, augmenting),
            _sampled(recipe.sized_network, len(well), crop=given.healthy.halves.source.geometry.crop, rng=rng),
        )


def _sampled(network: MedformerConfig, count: int, *, crop: Size, rng: np.random.Generator) -> Tensor:
    """U ~ N(0, I) for healthy crops, in the shape of the bottleneck."""
    space = (side // math.prod(network.scales) for side in crop[-network.dimensions :])
    return torch.from_numpy(rng.standard_normal((count, network.unique_channels, *space), dtype=np.float32))
