"""AccSegNet's generators and segmentor, one pass of slices through them, and what PatchNCE compares.

The segmentor is a U-Net, bilinear on its way up, with concurrent squeeze-and-excitation (Roy et al. 2018): 13 836 137
parameters at 64 channels (13.836 M measured of the released module).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.baselines.accsegnet.recipe import PatchNCERecipe, SegmentationRecipe, SqueezeUNetConfig
from medsearch.methods.baselines.slices import Pair
from medsearch.networks.cyclegan import ResNetGenerator, initialise

Features = Float[Tensor, "b _ _ _"]


@final
class SqueezeExcitation(nn.Module):
    """Weighs channels by their means and pixels by their channels; the larger of both counts."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.of_channels = nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels))
        self.of_pixels = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Features) -> Features:
        """(b, c, h, w) to the same shape."""
        by_channel = x * torch.sigmoid(self.of_channels(x.mean((2, 3))))[..., None, None]
        return torch.maximum(by_channel, x * torch.sigmoid(self.of_pixels(x)))


def _level(inputs: int, outputs: int, reduction: int) -> nn.Sequential:
    """Two convolutions with batch norm; squeezed at the end unless `reduction` is 0."""
    parts: list[nn.Module] = []
    for before in (inputs, outputs):
        parts += [nn.Conv2d(before, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*parts, *([SqueezeExcitation(outputs, reduction)] if reduction else []))


@final
class SqueezeUNet(nn.Module):
    """Images to probabilities of tumour.

    Raises:
        BadInput: the config fits no network.
    """

    def __init__(self, config: SqueezeUNetConfig) -> None:
        super().__init__()
        config.check()
        channels, squeezed = config.channels, config.reduction
        depths = enumerate(pairwise((1, *channels)), 1)
        self.down = nn.ModuleList(_level(a, b, squeezed if depth < config.levels else 0) for depth, (a, b) in depths)
        self.up = nn.ModuleList(
            _level(2 * skip, finer, squeezed) for finer, skip in pairwise((config.width, *channels[:-1]))
        )
        self.head = nn.Conv2d(config.width, 1, 1)
        initialise(self, "xavier")

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Of the same size, in fp32; sides that do not halve are resumed at the size of the skip."""
        skips = []
        for depth, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        for level, skip in zip(reversed(self.up), skips[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            high, wide = (own - other for own, other in zip(skip.shape[2:], x.shape[2:], strict=True))
            x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
            x = level(torch.cat([skip, x], 1))
        return torch.sigmoid(self.head(x).float())


Slices = Float[Tensor, "_ 1 h w"]


@dataclass(frozen=True)
class Cycle:
    """What the form of a cycle adds: x_ts, a target slice as if it were source, and what comes back of either.

    x_ss and x_tt are what a generator makes of slices that are in its own contrast already.
    """

    x_ts: Slices
    x_ss: Slices
    x_tt: Slices
    x_sts: Slices
    x_tst: Slices


@dataclass(frozen=True)
class Translated:
    """A batch and what came of it; `y_hat` are of the annotated slices. In the contrastive form there is no cycle."""

    batch: Pair
    x_st: Slices
    y_hat_st: Slices
    y_hat_t: Slices
    cycle: Cycle | None = None


@final
class AccSegNet(nn.Module):
    """G_T, G_S in the form of a cycle, and the segmentor of target slices."""

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        self.to_t = ResNetGenerator(recipe.generator)
        self.to_s = ResNetGenerator(recipe.generator) if recipe.form == "cycle" else None
        self.segmentor = SqueezeUNet(recipe.network)

    def forward(self, batch: Pair) -> Translated:
        """Every translation that a term looks at, and the segmentation of translated and target slices.

        All slices that the segmentor is given pass by its batch norms, one domain after the other; of the annotated
        ones it keeps what it says.
        """
        x_s, x_t, cycle = batch.source.x, batch.target.x, None
        if self.to_s is None:
            x_st = self.to_t(x_s)
            x_t = x_t[: len(batch.target.y)]  # the form itself has no target mask, and segments no target slice
        else:
            # one pass for all: norms look at one slice alone, but for those of gated skips, which then see both
            sizes = [len(x_s), len(x_t)]
            x_st, x_tt = self.to_t(torch.cat([x_s, x_t])).split(sizes)
            x_ss, x_ts = self.to_s(torch.cat([x_s, x_t])).split(sizes)
            cycle = Cycle(*(x.float() for x in (x_ts, x_ss, x_tt, self.to_s(x_st), self.to_t(x_ts))))
        y_hat_st = self.segmentor(x_st)[: len(batch.source.y)]
        y_hat_t = self.segmentor(x_t)[: len(batch.target.y)] if len(x_t) else x_t
        return Translated(batch, x_st.float(), y_hat_st, y_hat_t, cycle)

    def segment_source(self, x_s: Slices) -> Slices:
        """By way of the target contrast, the only one that the segmentor knows."""
        y_hat: Tensor = self.segmentor(self.to_t(x_s))
        return y_hat


Projected = Float[Tensor, "b n width"]


@final
class Projections(nn.Module):
    """A perceptron of two layers for every layer of the generator whose features PatchNCE compares.

    Raises:
        BadInput: the generator has no such layer.
    """

    def __init__(self, recipe: PatchNCERecipe, generator: ResNetGenerator) -> None:
        super().__init__()
        last = len(generator.encoder) - 1
        if not recipe.layers or not 0 <= min(recipe.layers) <= max(recipe.layers) <= last:
            msg = f"layers {recipe.layers} to compare must be among the generator's encoder's, 0 to {last}"
            raise BadInput(msg)
        self.recipe = recipe
        with torch.no_grad():
            features = generator.features(torch.zeros(1, 1, 32, 32), recipe.layers)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(feature.shape[1], recipe.width), nn.ReLU(), nn.Linear(recipe.width, recipe.width))
            for feature in features
        )
        initialise(self, "xavier")

    def forward(self, queries: Sequence[Tensor], keys: Sequence[Tensor]) -> tuple[list[Projected], list[Projected]]:
        """Features by layer, of both at the same random places, to their projections of length 1.

        Keys are without gradients, and come after their queries: autocast keeps its first copy of a weight, and through
        one that was made without gradients none flow.
        """
        query_vectors, key_vectors = [], []
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            places = torch.randperm(query.shape[2:].numel(), device=query.device)[: self.recipe.places]
            query_vectors.append(_projected(head, query, places))
            with torch.no_grad():
                key_vectors.append(_projected(head, key, places))
        return query_vectors, key_vectors


def _projected(head: nn.Module, features: Tensor, places: Tensor) -> Projected:
    return F.normalize(head(features.flatten(2)[..., places].transpose(1, 2)).float(), dim=2)
