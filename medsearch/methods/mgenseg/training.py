"""The end-to-end training of M-GenSeg: section 4.3, Eqs. 4.3-4.5."""

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from medsearch.losses.weights import normalised, scheduled
from medsearch.methods.mgenseg import losses
from medsearch.methods.mgenseg.batches import Batch, Drawing
from medsearch.methods.mgenseg.networks import OTHER, Discriminators, MGenSegNet, Pass, Wanted, forward
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.methods.mgenseg.validation import Validation, measured
from medsearch.networks.norms import one_estimate
from medsearch.stages.context import WEIGHTS, StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores
from medsearch.training.checkpoints import save_modules
from medsearch.training.fitting import AdversarialTraining
from medsearch.training.inference import micro_dice
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast

Pairs = Iterator[tuple[str, nn.Module, Tensor, Tensor]]
"""Of every discriminator at work: its λ, itself, real images and generated ones."""


class MGenSegTraining(AdversarialTraining[StageContext]):
    """M-GenSeg, or GenSeg alone, in training; weights: λ of Eq. 4.5, normalised, by term."""

    def __init__(self, recipe: SegmentationRecipe, selection: Selection, context: StageContext) -> None:
        super().__init__(recipe, context, "mgenseg")
        self.net = MGenSegNet(recipe).to(self.device)
        self.discriminators = Discriminators(recipe).to(self.device)
        self.modules = {"net": self.net, "discriminators": self.discriminators}
        self.judges = (self.discriminators,)
        self.optimisers = {
            "g": amsgrad([self.net], recipe.optimiser),
            "d": amsgrad([self.discriminators], recipe.optimiser),
        }
        self.drawing = Drawing(recipe, context.task)
        self.validation = Validation(recipe, selection, context.task)
        given, seg = recipe.weights, recipe.weights.seg
        if given.seg_schedule == "by annotated fraction":
            seg = scheduled(seg, self.drawing.annotated_fraction)
        alone = recipe.modalities != "source and target"  # GenSeg, which translates no modality
        modality = {f"mod.{term}": 0.0 if alone else value for term, value in vars(given.mod).items()}
        generation = {f"gen.{term}": value for term, value in vars(given.gen).items()}
        self.weights = normalised({"seg": seg, **modality, **generation})
        self.wanted = Wanted.by(self.weights)

    def forward(self, batch: Batch) -> Pass:
        """All that some loss looks at; every spectrum is estimated once."""
        with one_estimate(), autocast(self.context.runtime):
            return forward(self.net, batch, self.recipe, self.wanted)

    def d_terms(self, of: Pass) -> dict[str, Tensor]:
        """The hinge of every pair of real and generated images, scaled by the generator's weight as released."""
        terms: dict[str, Tensor] = {}
        with one_estimate():
            for name, judge, x, x_hat in self._pairs(of):
                real, fake = discriminator_scores(judge, self.context.runtime, x, x_hat.detach())
                hinge = self.weights[name] * losses.adversarial_d(real, fake)
                terms[f"d.{name}"] = terms.get(f"d.{name}", torch.zeros((), device=self.device)) + hinge
        return terms

    def g_terms(self, of: Pass) -> dict[str, Tensor]:
        """Eq. 4.5, one term a line."""
        lam, zero, sides = self.weights, torch.zeros((), device=self.device), of.batch.sides
        adversarial = {"gen.adv": zero, "mod.adv": zero}  # L_adv^Gen and L_adv^mod (section 4.3.2)
        with one_estimate():
            for name, judge, _, x_hat in self._pairs(of):
                (fake,) = discriminator_scores(judge, self.context.runtime, x_hat)
                adversarial[name] = adversarial[name] + losses.adversarial_g(fake)
        segmented = ((sides[domain], y_hats) for domain, y_hats in of.y_hats.items() if y_hats)
        segmentation = (side.emphasis * losses.segmentation(side.p.y, *y_hats) for side, y_hats in segmented)
        terms = {
            "seg": lam["seg"] * sum(segmentation, start=zero),
            "mod.adv": lam["mod.adv"] * adversarial["mod.adv"],
            "mod.cyc": lam["mod.cyc"] * sum(_cycles(of), start=zero),
            "gen.adv": lam["gen.adv"] * adversarial["gen.adv"],
            "gen.rec": lam["gen.rec"] * sum(_reconstructions(of), start=zero),
            "gen.lat": lam["gen.lat"] * sum((losses.latent(one.codes) for one in of.generated.values()), start=zero),
        }
        return {name: term for name, term in terms.items() if lam[name]}

    def _pairs(self, of: Pass) -> Pairs:
        """S_A against S_PA and S_P against S_AP, T alike; {S_P, S_A} against {T^S_P, T^S_A} pair by pair, T alike.

        Those whose λ is 0 are left out.
        """
        for domain, generated in of.generated.items() if self.weights["gen.adv"] else ():
            side, judges = of.batch.sides[domain], self.discriminators
            yield "gen.adv", judges.absence[domain], side.a.x, generated.p.x_pa
            if generated.a is not None:
                yield "gen.adv", judges.presence[domain], side.p.x, generated.a.x_ap
        for domain, cycle in of.cycles.items() if self.weights["mod.adv"] else ():
            other, count = OTHER[domain], cycle.diseased
            real, judge = of.batch.sides[other], self.discriminators.modality[other]
            yield "mod.adv", judge, real.p.x, cycle.there[:count]
            if len(cycle.there) > count:
                yield "mod.adv", judge, real.a.x, cycle.there[count:]

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One pass over the diseased slices."""
        self.begin_epoch(epoch)
        yield from self.adversarial(self.drawing.batches(self.rng(epoch)))

    def validate(self) -> dict[str, float]:
        """Dice over all pixels of the diseased validation slices at 0.5 (the paper's checkpoint rule)."""
        self.net.eval()
        routes = [(partial(route.segmented, self.net), route.diseased) for route in self.validation.selecting]
        return micro_dice(routes, self.context.runtime, batch=self.recipe.batch)


def _cycles(of: Pass) -> Iterator[Tensor]:
    """L_cyc^mod of Eq. 4.4: diseased and healthy images of both modalities, each with a mean of its own."""
    for cycle in of.cycles.values():
        for part in (slice(cycle.diseased), slice(cycle.diseased, None)):
            if len(cycle.x[part]):
                yield losses.reconstruction((cycle.x[part], cycle.back[part]))


def _reconstructions(of: Pass) -> Iterator[Tensor]:
    """L_rec^Gen of Eq. 4.4, of each modality: images beside what is rebuilt of them."""
    for one in of.generated.values():
        healthy = [] if one.a is None else [(one.a.x_a, one.a.x_aa)]
        yield losses.reconstruction((one.p.x_p, one.p.x_pp), *healthy)


def train(recipe: SegmentationRecipe, selection: Selection, context: StageContext) -> Training:
    """Train; keep the epoch with the highest validation Dice, or the last one where nothing learns to segment."""
    training = MGenSegTraining(recipe, selection, context)
    best = yield from training.fit(keep=("net",))
    epoch = recipe.epochs
    if training.wanted.segmentation:
        epoch = best.epoch
        training.net.load_state_dict({name.removeprefix("net/"): value for name, value in best.tensors.items()})
    save_modules(context.directory / WEIGHTS, {"net": training.net})
    metrics = training.validate() | measured(training.net, training.validation, context, training.wanted)
    seen = [route.domain for route in training.validation.selecting]
    return Outcome(metrics, {"best_epoch": epoch, "weights": training.weights, "selected_on": seen})
