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
        """Keeps the shape."""
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
            x = level(torch.cat([skip, _doubled(x, skip)], 1))
        return torch.sigmoid(self.head(x).float())


def _doubled(x: Features, like: Features) -> Features:
    """Interpolated to twice the size, then padded to the skip's."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    high, wide = (own - other for own, other in zip(like.shape[2:], x.shape[2:], strict=True))
    return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))


Slices = Float[Tensor, "_ 1 h w"]


@dataclass(frozen=True)
class Translated:
    """A batch and what came of it: x_ts is a target slice as if it were source; `y_hat` of the annotated slices.

    In the contrastive form only x_st is there.
    """

    batch: Pair
    x_st: Slices
    y_hat_st: Slices
    y_hat_t: Slices
    x_ts: Slices | None = None
    x_ss: Slices | None = None
    x_tt: Slices | None = None
    x_sts: Slices | None = None
    x_tst: Slices | None = None


@final
class AccSegNet(nn.Module):
    """G_T, G_S in the form of a cycle, and the segmentor of target slices."""

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        self.to_t = ResNetGenerator(recipe.generator)
        self.to_s = ResNetGenerator(recipe.generator) if recipe.form == "cycle" else None
        self.segmentor = SqueezeUNet(recipe.network)

    def forward(self, batch: Pair) -> Translated:
        """Every translation that a term looks at, and the segmentation of translated and target slices."""
        x_s, x_t = batch.source.x, batch.target.x
        if self.to_s is None:
            x_st = self.to_t(x_s)
            annotated = x_t[: len(batch.target.y)]  # the form itself has no target mask, and segments no target slice
            return Translated(batch, x_st.float(), *self._segmented(batch, x_st, annotated))
        x_st, x_tt = _apart(self.to_t, x_s, x_t)
        x_ss, x_ts = _apart(self.to_s, x_s, x_t)
        x_sts, x_tst = self.to_s(x_st), self.to_t(x_ts)
        more = (x.float() for x in (x_ts, x_ss, x_tt, x_sts, x_tst))
        return Translated(batch, x_st.float(), *self._segmented(batch, x_st, x_t), *more)

    def segment_source(self, x_s: Slices) -> Slices:
        """By way of the target contrast, the only one that the segmentor knows."""
        y_hat: Tensor = self.segmentor(self.to_t(x_s))
        return y_hat

    def _segmented(self, batch: Pair, x_st: Slices, x_t: Slices) -> tuple[Slices, Slices]:
        """Of the annotated slices among those given; all of them pass, one domain after the other, by batch norms."""
        y_hat_st = self.segmentor(x_st)[: len(batch.source.y)]
        y_hat_t = self.segmentor(x_t)[: len(batch.target.y)] if len(x_t) else x_t
        return y_hat_st, y_hat_t


def _apart(generator: ResNetGenerator, *slices: Slices) -> tuple[Slices, ...]:
    """One pass for all: norms look at one slice alone, but for those of gated skips, which then see both contrasts."""
    return torch.split(generator(torch.cat(slices)), [len(of) for of in slices])


Projected = Float[Tensor, "b n width"]


@final
class Projections(nn.Module):
    """A small perceptron for every layer that is compared.

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
            nn.Sequential(nn.Linear(of.shape[1], recipe.width), nn.ReLU(), nn.Linear(recipe.width, recipe.width))
            for of in features
        )
        initialise(self, "xavier")

    def forward(self, queries: Sequence[Tensor], keys: Sequence[Tensor]) -> tuple[list[Projected], list[Projected]]:
        """Features by layer, of both at the same random places, to their projections of length 1.

        Keys are without gradients, and come after their queries: autocast keeps its first copy of a weight, and through
        one that was made without gradients none flow.
        """
        of_queries, of_keys = [], []
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            places = torch.randperm(query.shape[2:].numel(), device=query.device)[: self.recipe.places]
            of_queries.append(_projected(head, query, places))
            with torch.no_grad():
                of_keys.append(_projected(head, key, places))
        return of_queries, of_keys


def _projected(head: nn.Module, features: Tensor, places: Tensor) -> Projected:
    return F.normalize(head(features.flatten(2)[..., places].transpose(1, 2)).float(), dim=2)
