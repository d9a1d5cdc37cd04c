"""Target-modality segmentation: section 5.4.2, Eqs. 5.5-5.12, and the rounds of Eq. 5.13 that go on from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.data.units import cycled
from medsearch.methods.modatts import losses
from medsearch.methods.modatts.crops import CropBatch, Crops
from medsearch.methods.modatts.generative import (
    FromAbsence,
    FromPresence,
    codes_found_again,
    generate,
)
from medsearch.methods.modatts.networks.discriminator import MultiScaleDiscriminator
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.supervision import Supervision, supervision
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import AdversarialStep, micro_batches, supervised_step
from medsearch.training.checkpoints import save_tensors
from medsearch.training.loop import Loop, run
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast, prepare_torch


@dataclass(frozen=True)
class Triple:
    """One batch: annotated synthetic crops, diseased target crops (some annotated), healthy target crops."""

    synthetic: CropBatch
    diseased: CropBatch
    healthy: CropBatch


@dataclass(frozen=True)
class Pass:
    """One forward pass of the semi-supervised variant."""

    batch: Triple
    y_hat_pt: Tensor
    y_hat_t: Tensor
    from_p: FromPresence
    from_a: FromAbsence | None
    codes: losses.LatentCodes


class SegmentationTraining:
    """Everything that the segmentation stage and the self-training rounds hold while they train."""

    def __init__(self, recipe: SegmentationRecipe, context: StageContext, given: Supervision) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, "segmentation", "initialisation"))
        self.recipe, self.context, self.given = recipe, context, given
        device = context.runtime.device
        self.segmentor = Segmentor(recipe).to(device)
        self.modules: dict[str, nn.Module] = {"segmentor": self.segmentor}
        self.optimisers = {"g": amsgrad([self.segmentor], recipe.optimiser)}
        self.generative = recipe.generative
        if self.generative:
            config = recipe.discriminator
            self.d_p = MultiScaleDiscriminator(config).to(device)
            self.d_a = MultiScaleDiscriminator(config).to(device)
            self.modules |= {"d_p": self.d_p, "d_a": self.d_a}
            self.optimisers["d"] = amsgrad([self.d_p, self.d_a], recipe.optimiser)
        weights = recipe.weights
        seg = weights.seg
        if weights.seg_schedule == "by annotated fraction":
            seg = losses.scheduled(seg, given.annotated_fraction)
        self.weights = losses.normalised({"adv": weights.adv, "rec": weights.rec, "lat": weights.lat, "seg": seg})

    def forward(self, batch: Triple) -> Pass:
        """Segment what is annotated; translate diseased target crops to healthy and back."""
        net, known = self.segmentor, batch.diseased.annotated
        count_pt, count_p = len(batch.synthetic.x), len(batch.diseased.x)
        with autocast(self.context.runtime):
            latent = net.encoder(torch.cat([batch.synthetic.x, batch.diseased.x, batch.healthy.x]))
            target = latent[count_pt:]
            u = torch.randn_like(target.unique[count_p:]) if self.recipe.translate == "both" else None
            y_hat_pt = net.segment(latent[:count_pt])
            y_hat_t = net.segment(target[:count_p][known]) if len(known) else y_hat_pt[:0]
            from_p, from_a = generate(net, x_p=batch.diseased.x, x_a=batch.healthy.x, codes=target, u=u)
            codes = codes_found_again(net, target, from_p, u=u, from_a=from_a)
        return Pass(batch, y_hat_pt, y_hat_t, from_p, from_a, codes)

    def d_terms(self, out: Pass) -> dict[str, Tensor]:
        """Eq. 5.1 between X_A and X_PA, X_P and X_AP, scaled by the generator's weight as released."""
        lam = self.weights["adv"]
        with autocast(self.context.runtime):
            real, fake = self.d_a(out.batch.healthy.x), self.d_a(out.from_p.x_pa.detach())
            terms = {"d_a": lam * losses.adversarial_d(real, fake)}
            if out.from_a is not None:
                real, fake = self.d_p(out.from_p.x_p), self.d_p(out.from_a.x_ap.detach())
                terms["d_p"] = lam * losses.adversarial_d(real, fake)
        return terms

    def g_terms(self, out: Pass) -> dict[str, Tensor]:
        """Eq. 5.12, and in self-training Eq. 5.13 (λ_st = λ_pT), one term a line."""
        lam = self.weights
        return {
            "adv": lam["adv"] * self._adversarial(out),
            "lat": lam["lat"] * losses.latent(out.codes),
            "rec": lam["rec"] * losses.reconstruction(out.from_p, out.from_a),
            "seg": lam["seg"] * self._dice(out.batch.synthetic, out.y_hat_pt),
            **self._target_term(out.batch.diseased, out.y_hat_t, lam["seg"]),
        }

    def _adversarial(self, out: Pass) -> Tensor:
        with autocast(self.context.runtime):
            loss = losses.adversarial_g(self.d_a(out.from_p.x_pa))
            if out.from_a is not None:
                loss = loss + losses.adversarial_g(self.d_p(out.from_a.x_ap))
        return loss

    def supervised_terms(self, batch: Triple) -> dict[str, Tensor]:
        """Eq. 5.5, and Eq. 5.13's term once target crops are (pseudo-)annotated: the self-supervised variant."""
        with autocast(self.context.runtime):
            known = batch.diseased.annotated
            y_hat = self.segmentor(torch.cat([batch.synthetic.x, batch.diseased.x[known]]))
        y_hat_pt, y_hat_t = y_hat[: len(batch.synthetic.x)], y_hat[len(batch.synthetic.x) :]
        return {
            "seg": self._dice(batch.synthetic, y_hat_pt),
            **self._target_term(batch.diseased, y_hat_t, 1.0),
        }

    def _dice(self, crops: CropBatch, y_hat: Tensor) -> Tensor:
        return losses.dice(crops.y, y_hat.float(), crops.counted)

    def _target_term(self, crops: CropBatch, y_hat: Tensor, weight: float) -> dict[str, Tensor]:
        return {"st": weight * self._dice(crops, y_hat)} if len(crops.annotated) else {}

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One pass over the longest list of crops; the others are cycled."""
        for module in self.modules.values():
            module.train()
        rng = generator(self.context.seed, "segmentation", self.given.name, "epoch", epoch)
        given, size = self.given, self.recipe.batch
        lists = (given.synthetic, given.diseased, given.healthy if self.generative else given.healthy.none())
        length = -(-max(len(crops) for crops in lists[:2]) // size)
        for indices in zip(*(cycled(len(crops), size, length, rng) for crops in lists), strict=True):
            pieces = [micro_batches(which, self.context.runtime.micro_batch) for which in indices]
            count = max(len(piece) for piece in pieces)
            triples = [
                Triple(*(self._load(crops, piece, i, rng) for crops, piece in zip(lists, pieces, strict=True)))
                for i in range(count)
            ]
            yield self._step(triples)

    def _load(self, crops: Crops, pieces: Sequence[Sequence[int]], index: int, rng: object) -> CropBatch:
        which = pieces[index] if index < len(pieces) else []
        return crops.load(which, rng if self.recipe.augment else None, self.context.runtime.device)

    def _step(self, triples: list[Triple]) -> dict[str, Tensor]:
        if not self.generative:
            return supervised_step(triples, self.supervised_terms, self.optimisers["g"])
        step = AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            discriminators=(self.d_p, self.d_a),
        )
        return step(triples)

    def validate(self) -> dict[str, float]:
        """Dice over all voxels of the diseased validation crops at 0.5 (the paper's checkpoint rule)."""
        overlap, total = 0.0, 0.0
        for x, y in self.given.validation.each(self.recipe.batch, self.context.runtime.device):
            y_hat = predict(self.segmentor, x, self.context) > 0.5
            overlap += float((y_hat * y).sum())
            total += float(y_hat.sum() + y.sum())
        return {"validation/dice": (2 * overlap + 1) / (total + 1)}


@torch.no_grad()
def predict(segmentor: Segmentor, x: Tensor, context: StageContext) -> Tensor:
    """Probabilities of tumour, in eval mode."""
    segmentor.eval()
    with autocast(context.runtime):
        y_hat: Tensor = segmentor(x)
    return y_hat.float()


def fit(training: SegmentationTraining, epochs: int) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    context, name = training.context, training.given.name
    loop = Loop(
        modules=training.modules,
        optimisers=training.optimisers,
        steps=training.steps,
        validate=training.validate,
        epochs=epochs,
        validate_every=training.recipe.validate_every,
    )
    best = yield from run(loop, root=seed(context.seed, name), checkpoint=context.checkpoint)
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    return Outcome({"validation/dice": best.value}, {"best_epoch": best.epoch, "weights": training.weights})


def train(recipe: SegmentationRecipe, selection: Selection, context: StageContext) -> Training:
    """The segmentation stage: Eq. 5.12, or Eq. 5.5 alone for the self-supervised variant and the references."""
    return fit(SegmentationTraining(recipe, context, supervision(recipe, selection, context)), recipe.epochs)
