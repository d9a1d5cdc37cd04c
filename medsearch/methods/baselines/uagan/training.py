"""UAGAN's training and test."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsearch.cohorts.patches import hemispheres
from medsearch.cohorts.views import Domain, TaskView
from medsearch.losses.dice import dice
from medsearch.losses.reconstruction import l1
from medsearch.losses.weights import normalised
from medsearch.methods.baselines.reads import SelectedOn, sides
from medsearch.methods.baselines.slices import ContrastsTraining, Drawing, Pair, adam, both_contrasts, validation_slices
from medsearch.methods.baselines.uagan import losses, networks
from medsearch.methods.baselines.uagan.networks import Judge
from medsearch.methods.baselines.uagan.recipe import CONTRASTS, SegmentationRecipe, Weights
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import load_trained, save_tensors
from medsearch.training.crops import CropBatch
from medsearch.training.fitting import training_mode
from medsearch.training.inference import Segment, micro_dice
from medsearch.training.precision import autocast, prepare_torch

DOMAINS = sides("both")
AT_ONCE = 16
"""Slices to validate together; a step's two are no measure where no gradient is kept and norms look at one alone."""
REAL_FAKE = {
    "hinge": (losses.hinge_d, losses.hinge_g),
    "wasserstein": (losses.wasserstein_d, losses.wasserstein_g),
}


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


class SegmentationTraining(ContrastsTraining):
    """Everything that the stage holds while it trains.

    Raises:
        BadInput: the split leaves no slices of one contrast, no mask, or nothing to select on.
    """

    def __init__(self, recipe: SegmentationRecipe, *, of: SelectedOn, context: StageContext) -> None:
        super().__init__(recipe, context, "uagan")
        self.weights = balanced(recipe.weights)
        self.generator = networks.Generator(recipe.network).to(self.device)
        self.judge = Judge(recipe.discriminator, slice_size(context.task)).to(self.device)
        self.modules: dict[str, nn.Module] = {"generator": self.generator, "judge": self.judge}
        self.judges = (self.judge,)
        self.optimisers = {"g": adam([self.generator], recipe.optimiser), "d": adam(self.judges, recipe.optimiser)}
        self.drawing = both_contrasts(context.task, recipe.slices)
        selected_on = shown(self.drawing) if of == "both" else of
        self.validation = validation_slices(context.task, selected_on, recipe.slices)
        self.shape = 1.0

    def forward(self, batch: Pair) -> Mixed:
        """Segment and translate every slice; then its translation, back to its own contrast."""
        x = torch.cat([batch.source.x, batch.target.x])
        own = torch.cat([one_hot(d, len(part), x.device) for d, part in zip(DOMAINS, _parts(batch), strict=True)])
        asked = own.flip(1) if self.recipe.asked == "other" else own[torch.randperm(len(own), device=x.device)]
        with autocast(self.context.runtime):
            y_hat, x_fake = self.generator(x, asked)
            y_hat_rec, x_rec = self.generator(x_fake, own)
        starts = (0, len(batch.source.x))
        places = [torch.arange(len(part.y)) + at for part, at in zip(_parts(batch), starts, strict=True)]
        return Mixed(
            x,
            own,
            asked,
            batch.y,
            torch.cat(places).to(x.device),
            batch.emphasis,
            *(out.float() for out in (y_hat, x_fake, y_hat_rec, x_rec)),
        )

    def d_terms(self, of: Mixed) -> dict[str, Tensor]:
        """Real slices from translated ones, and of real ones the contrast."""
        lam, (real_fake, _) = self.weights, REAL_FAKE[self.recipe.adversarial]
        (real, contrast), (fake, _) = self._judged(of.x), self._judged(of.x_fake.detach())
        terms = {
            "d": lam["adv"] * real_fake(real, fake),
            "d_cls": lam["cls"] * losses.contrast(contrast, of.own),
        }
        if lam["gp"]:
            terms["d_gp"] = lam["gp"] * losses.gradient_penalty(lambda x: self.judge(x)[0], of.x, of.x_fake)
        return terms

    def g_terms(self, of: Mixed) -> dict[str, Tensor]:
        """The total loss, one term a line; no segmentation where no slice of the batch is annotated."""
        lam, (_, fooled) = self.weights, REAL_FAKE[self.recipe.adversarial]
        fake, contrast = self._judged(of.x_fake)
        terms = {
            "adv": lam["adv"] * fooled(fake),
            "cls": lam["cls"] * losses.contrast(contrast, of.asked),
            "rec": lam["rec"] * l1(of.x_rec, of.x),
        }
        if len(of.y):
            terms["seg"] = lam["seg"] * of.emphasis * self._segmented(of.y, of.y_hat[of.annotated])
            shape = self._segmented(of.y, of.y_hat_rec[of.annotated])
            terms["shape"] = lam["seg"] * lam["shape"] * self.shape * of.emphasis * shape
        return terms

    def _judged(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with autocast(self.context.runtime):
            real, contrast = self.judge(x)
        return real.float(), contrast.float()

    def _segmented(self, y: Tensor, logits: Tensor) -> Tensor:
        if self.recipe.loss == "dice":
            return dice(y, torch.sigmoid(logits))
        return losses.cross_entropy(y, logits, self.recipe.tumour_weight)

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """One epoch."""
        steps, whole = self.drawing.steps(self.recipe.batch), self.recipe.weights.shape_epochs
        with closing(super().steps(epoch)) as each:
            for number in range(1, steps + 1):
                self.shape = grown((epoch - 1) * steps + number, steps * whole)
                yield next(each)

    def validate(self) -> dict[str, float]:
        """Dice over the domains that it is selected on, together."""
        training_mode(self.modules.values(), on=False)
        segments: dict[Domain, Segment] = {d: segmenting(self.generator, d) for d in DOMAINS}
        routes = [(segments[domain], crops) for domain, crops in self.validation.items()]
        return micro_dice(routes, self.context.runtime, batch=AT_ONCE)


def balanced(weights: Weights) -> dict[str, float]:
    """λ as used; `shape` is a factor of seg's, and not among those that are normalised."""
    lam = {name: getattr(weights, name) for name in ("adv", "cls", "rec", "seg", "gp")}
    return {**(normalised(lam) if weights.normalised else lam), "shape": weights.shape}


def grown(step: int, whole: int) -> float:
    """How much of a weight there is after `step` steps, if it grows over `whole` ones."""
    return min(1.0, step / whole) if whole else 1.0


def shown(drawing: Drawing) -> SelectedOn:
    """Whose masks it learns from, and may be selected on."""
    if drawing.source.annotated and drawing.target.annotated:
        return "both"
    return "source" if drawing.source.annotated else "target"


def slice_size(task: TaskView) -> tuple[int, int]:
    """Rows and columns of a hemisphere's slice."""
    _, high, wide = hemispheres(task.geometry, task.shape).crop
    return high, wide


def one_hot(domain: Domain, count: int, device: torch.device) -> Tensor:
    """(count, 2): the contrast of a domain."""
    return torch.eye(CONTRASTS, device=device)[DOMAINS.index(domain)].expand(count, -1)


def segmenting(network: networks.Generator, domain: Domain) -> Segment:
    """Probabilities of tumour in slices of a domain; the other stream is asked for a slice's own contrast."""

    def segment(x: Tensor) -> Tensor:
        logits, _ = network(x, one_hot(domain, len(x), x.device))
        return torch.sigmoid(logits.float())

    return segment


def _parts(batch: Pair) -> tuple[CropBatch, CropBatch]:
    return batch.source, batch.target


def train(recipe: SegmentationRecipe, *, of: SelectedOn, context: StageContext) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    training = SegmentationTraining(recipe, of=of, context=context)
    best = yield from training.fit(keep=("generator",))
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    notes = {"best_epoch": best.epoch, "selected_on": list(training.validation), "weights": training.weights}
    return Outcome({"validation/dice": best.value}, notes)


def trained(segmentation: SegmentationRecipe, domain: Domain, context: StageContext) -> Segment:
    """Segments slices of a domain by what was trained upstream."""
    prepare_torch(context.runtime)
    weights = context.upstream["segmentor"].file("weights.safetensors")
    network = load_trained(networks.Generator(segmentation.network), weights, "generator", context.runtime.device)
    return segmenting(network, domain)
