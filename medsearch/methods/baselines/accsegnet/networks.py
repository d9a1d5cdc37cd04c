"""AccSegNet's generators and segmentor, and one pass of slices through them."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.baselines.accsegnet.recipe import SegmentationRecipe
from medsearch.methods.baselines.accsegnet.unet import SqueezeUNet
from medsearch.methods.baselines.drawing import Pair
from medsearch.networks.resnet_generator import ResNetGenerator

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
