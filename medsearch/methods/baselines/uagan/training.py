"""UAGAN's losses, of the comparison and of the official code (Yuan et al. 2019; StarGAN: Choi et al. 2018).

And their training: all terms together are in `SegmentationTraining.d_terms` and `g_terms`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsearch.cohorts.patches import hemispheres
from medsearch.cohorts.views import Domain
from medsearch.losses.dice import dice
from medsearch.losses.reconstruction import l1
from medsearch.losses.weights import normalised
from medsearch.methods.baselines.recipe import SelectedOn, sides
from medsearch.methods.baselines.slices import (
    ContrastsTraining,
    Pair,
    SelectedByDice,
    both_contrasts,
    validation_slices,
)
from medsearch.methods.baselines.uagan import networks
from medsearch.methods.baselines.uagan.recipe import CONTRASTS, SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.training.inference import Segment
from medsearch.training.precision import autocast


def hinge_d(real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Mean of relu(1 - D(x)) plus mean of relu(1 + D(x̂)), summed over the two contrasts.

    As compared: its reduction sums over the batch, which holds one image of each contrast.
    """
    return CONTRASTS * (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean())


def hinge_g(fake: Tensor) -> Float[Tensor, ""]:
    """Mean of -D(x̂), summed over the two contrasts (as compared, see `hinge_d`)."""
    return -CONTRASTS * fake.mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """The discriminator's part: mean of D(x̂) less that of D(x) (official)."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor) -> Float[Tensor, ""]:
    """The generator's part: mean of -D(x̂) (official)."""
    return -fake.mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Mean of (|∇D(x̃)| - 1)² at random points between real and translated images."""
    mix = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_(True)
    scores = score(between)
    (slope,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
    penalty: Tensor = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    return penalty


def cross_entropy(y: Tensor, logits: Tensor, tumour_weight: float) -> Float[Tensor, ""]:
    """Cross-entropy of two classes, as a weighted mean over pixels; tumour weighs so much, background the rest to 1."""
    weight = y * tumour_weight + (1 - y) * (1 - tumour_weight)
    return F.binary_cross_entropy_with_logits(logits, y, weight, reduction="sum") / weight.sum()


REAL_FAKE = {"hinge": (hinge_d, hinge_g), "wasserstein": (wasserstein_d, wasserstein_g)}


@dataclass(frozen=True)
class Mixed:
    """Slices of both contrasts in one batch, and what came of them.

    own, asked: contrasts, one-hot. y: masks of the slices at `annotated`. y_hat, y_hat_rec: logits, of the images and
    of their translations `x_fake`; x_rec: these translated back.
    """

    x: Tensor
    own: Tensor
    asked: Tensor
    y: Tensor
    annotated: Tensor
    emphasis: float
    y_hat: Tensor
    x_fake: Tensor
    y_hat_rec: Tensor
    x_rec: Tensor


class SegmentationTraining(SelectedByDice, ContrastsTraining):
    """The one training: a generator that segments and translates, against a discriminator that also names contrasts.

    Asked to be selected on both domains, it is selected on those that show masks to train with.

    Raises:
        BadInput: the split leaves no slices of one contrast, no mask, or nothing to select on.
    """

    kept = "generator"
    at_once = 16  # a step's two are no measure where no gradient is kept and norms look at one slice alone

    def __init__(self, recipe: SegmentationRecipe, *, selected_on: SelectedOn, context: StageContext) -> None:
        super().__init__(recipe, context, "uagan")
        lam = recipe.weights.terms()
        # a factor of seg's, `shape` is not among those that are normalised
        self.weights = {**(normalised(lam) if recipe.weights.normalised else lam), "shape": recipe.weights.shape}
        self.notes = {"weights": self.weights}
        task = context.task
        _, high, wide = hemispheres(task.geometry, task.shape).crop
        self.generator = networks.Generator(recipe.network)
        self.judge = networks.Judge(recipe.discriminator, (high, wide))
        self.hold({"judge": self.judge}, generator=self.generator)
        self.drawing = both_contrasts(task, recipe.slices)
        if selected_on == "both" and not self.drawing.target.annotated:
            selected_on = "source"
        elif selected_on == "both" and not self.drawing.source.annotated:
            selected_on = "target"
        self.validation = validation_slices(task, selected_on, recipe.slices)
        self.shape = 1.0
        """How much there is by now of the weight of shape, which grows."""

    def forward(self, batch: Pair) -> Mixed:
        """Segment and translate every slice; then its translation, back to its own contrast."""
        source, target = batch.source, batch.target
        x = torch.cat([source.x, target.x])
        own = torch.eye(CONTRASTS, device=x.device)[[0] * len(source.x) + [1] * len(target.x)]
        asked = own.flip(1) if self.recipe.asked == "other" else own[torch.randperm(len(own), device=x.device)]
        with autocast(self.context.runtime):
            y_hat, x_fake = self.generator(x, asked)
            y_hat_rec, x_rec = self.generator(x_fake, own)
        annotated = torch.cat([torch.arange(len(source.y)), len(source.x) + torch.arange(len(target.y))]).to(x.device)
        outputs = (out.float() for out in (y_hat, x_fake, y_hat_rec, x_rec))
        return Mixed(x, own, asked, batch.y, annotated, batch.emphasis, *outputs)

    def d_terms(self, of: Mixed) -> dict[str, Tensor]:
        """Real slices told from translated ones, and the contrast of real ones, by cross-entropy."""
        lam, (real_fake, _) = self.weights, REAL_FAKE[self.recipe.adversarial]
        (real, own), (fake, _) = self._scores(of.x), self._scores(of.x_fake.detach())
        terms = {
            "d": lam["adv"] * real_fake(real, fake),
            "d_cls": lam["cls"] * F.cross_entropy(own, of.own),
        }
        if lam["gp"]:
            terms["d_gp"] = lam["gp"] * gradient_penalty(lambda x: self.judge(x)[0], of.x, of.x_fake)
        return terms

    def g_terms(self, of: Mixed) -> dict[str, Tensor]:
        """The total loss, one term a line; no segmentation where no slice of the batch is annotated."""
        lam, (_, fooled) = self.weights, REAL_FAKE[self.recipe.adversarial]
        fake, asked = self._scores(of.x_fake)
        terms = {
            "adv": lam["adv"] * fooled(fake),
            "cls": lam["cls"] * F.cross_entropy(asked, of.asked),
            "rec": lam["rec"] * l1(of.x_rec, of.x),
        }
        if len(of.y):
            terms["seg"] = lam["seg"] * of.emphasis * self._segmentation(of.y, of.y_hat[of.annotated])
            shape = self._segmentation(of.y, of.y_hat_rec[of.annotated])
            terms["shape"] = lam["seg"] * lam["shape"] * self.shape * of.emphasis * shape
        return terms

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's patches, and its logits of the contrasts, in fp32."""
        with autocast(self.context.runtime):
            real, contrasts = self.judge(x)
        return real.float(), contrasts.float()

    def _segmentation(self, y: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "dice":
            return dice(y, torch.sigmoid(logits))
        return cross_entropy(y, logits, self.recipe.tumour_weight)

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """The loss terms of every step of an epoch, counted from 1; the weight of shape grows with the steps."""
        steps = self.drawing.steps(self.recipe.batch)
        growing = steps * self.recipe.weights.shape_epochs
        with closing(super().steps(epoch)) as each:
            for step in range((epoch - 1) * steps + 1, epoch * steps + 1):
                self.shape = min(1.0, step / growing) if growing else 1.0
                yield next(each)

    def segments(self) -> dict[Domain, Segment]:
        """Either domain's slices are segmented as ones of its contrast."""
        return {domain: partial(self.generator.segment, domain=domain) for domain in sides("both")}
