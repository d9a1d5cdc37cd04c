"""Target-modality segmentation: section 5.4.2, Eqs. 5.5-5.12, and the rounds of self-training of Eq. 5.13."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.cohorts.patches import PatchIndex
from medsearch.core.seeds import generator
from medsearch.losses.weights import normalised, scheduled
from medsearch.methods.modatts import losses
from medsearch.methods.modatts.recipe import SegmentationRecipe, SelfTrainingRecipe
from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.methods.modatts.supervision import Supervision, Triple, drawn, supervision
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.stages.context import WEIGHTS, StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores, pieces
from medsearch.training.checkpoints import load_modules, save_tensors
from medsearch.training.crops import IGNORED, Crops
from medsearch.training.fitting import AdversarialTraining
from medsearch.training.generative import (
    FromAbsence,
    FromPresence,
    codes_found_again,
    diversity,
    from_both,
    from_presence,
    residuals,
)
from medsearch.training.inference import micro_dice
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast


@dataclass(frozen=True)
class Pass:
    """One forward pass of the semi-supervised variant: ŷ_pT, ŷ_T of the annotated target crops, translations, codes."""

    batch: Triple
    y_hat_pt: Tensor
    y_hat_t: Tensor
    p: FromPresence
    a: FromAbsence | None
    codes: losses.LatentCodes


class SegmentationTraining(AdversarialTraining[StageContext]):
    """The training of the segmentation stage, and of a self-training round, on the crops `given`."""

    def __init__(self, recipe: SegmentationRecipe, context: StageContext, given: Supervision) -> None:
        super().__init__(recipe, context, "segmentation")
        self.given, self.generative = given, recipe.generative
        self.segmentor = Segmentor(recipe).to(self.device)
        self.modules: dict[str, nn.Module] = {"segmentor": self.segmentor}
        self.optimisers = {"g": amsgrad([self.segmentor], recipe.optimiser)}
        if self.generative:
            judges = replace(recipe.discriminator, dimensions=recipe.network.dimensions)
            self.d_p = MultiScaleDiscriminator(judges).to(self.device)
            self.d_a = MultiScaleDiscriminator(judges).to(self.device)
            self.judges = (self.d_p, self.d_a)
            self.modules |= {"d_p": self.d_p, "d_a": self.d_a}
            self.optimisers["d"] = amsgrad(self.judges, recipe.optimiser)
        weights, seg = recipe.weights, recipe.weights.seg
        if weights.seg_schedule == "by annotated fraction":
            seg = scheduled(seg, given.annotated_fraction)
        self.weights = normalised({"adv": weights.adv, "rec": weights.rec, "lat": weights.lat, "seg": seg})

    def forward(self, batch: Triple) -> Pass:
        """Segment what is annotated; make diseased target crops healthy, and healthy ones diseased."""
        net, x_p, x_a = self.segmentor, batch.diseased.x, batch.healthy.x
        synthetic, annotated = len(batch.synthetic.x), len(batch.synthetic.x) + len(batch.diseased.y)
        both = self.recipe.translate == "both"
        with autocast(self.context.runtime):
            latent = net.encoder(_joined(batch.synthetic.x, x_p, *([x_a] if both else [])))
            y_hat = net.segment(latent[:annotated]).float() if annotated else x_p[:0]
            codes = latent[synthetic:]
            p, a = (
                from_both(net, x_p, x_a=x_a, codes=codes, u=batch.u) if both else (from_presence(net, x_p, codes), None)
            )
            found = codes_found_again(net, codes, p, a)
        return Pass(batch, y_hat[:synthetic], y_hat[synthetic:], p, a, found)

    def d_terms(self, of: Pass) -> dict[str, Tensor]:
        """Eq. 5.1 between X_A and X_PA, X_P and X_AP, scaled by the generator's weight as released."""
        lam, runtime = self.weights["adv"], self.context.runtime
        real, fake = discriminator_scores(self.d_a, runtime, of.batch.healthy.x, of.p.x_pa.detach())
        terms = {"d_a": lam * losses.adversarial_d(real, fake)}
        if of.a is not None:
            real, fake = discriminator_scores(self.d_p, runtime, of.p.x_p, of.a.x_ap.detach())
            terms["d_p"] = lam * losses.adversarial_d(real, fake)
        return terms

    def g_terms(self, of: Pass) -> dict[str, Tensor]:
        """Eq. 5.12, and in self-training Eq. 5.13 (λ_st = λ_pT), one term a line."""
        lam, p, a = self.weights, of.p, of.a
        fakes = [(self.d_a, p.x_pa), *([(self.d_p, a.x_ap)] if a else [])]
        scores = [discriminator_scores(judge, self.context.runtime, x_hat)[0] for judge, x_hat in fakes]
        return {
            "adv": lam["adv"] * torch.stack([losses.adversarial_g(fake) for fake in scores]).sum(),
            "lat": lam["lat"] * losses.latent(of.codes),
            "rec": lam["rec"] * losses.reconstruction((p.x_p, p.x_pp), *([(a.x_a, a.x_aa)] if a else [])),
            **_dice_terms(of.batch, of.y_hat_pt, y_hat_t=of.y_hat_t, lam=lam["seg"]),
        }

    def supervised_terms(self, batch: Triple) -> dict[str, Tensor]:
        """Eq. 5.5, and Eq. 5.13's term once target crops are (pseudo-)annotated: the self-supervised variant."""
        synthetic = len(batch.synthetic.x)
        with autocast(self.context.runtime):
            y_hat = self.segmentor(_joined(batch.synthetic.x, batch.diseased.x)).float()
        return _dice_terms(batch, y_hat[:synthetic], y_hat_t=y_hat[synthetic:], lam=1.0)

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """The loss terms of every step of an epoch, counted from 1."""
        self.begin_epoch(epoch)
        rng = generator(self.context.seed, "segmentation", self.given.name, "epoch", epoch)
        batches = drawn(self.recipe, self.given, rng)
        yield from self.adversarial(batches) if self.generative else self.supervised(batches, self.supervised_terms)

    def validate(self) -> dict[str, float]:
        """Dice over all voxels of the diseased validation crops at 0.5 (the paper's checkpoint rule)."""
        runtime = self.context.runtime
        route = (partial(predict, self.segmentor, runtime=runtime), self.given.validation)
        return micro_dice([route], runtime, batch=self.recipe.batch)


def _joined(*crops: Tensor) -> Tensor:
    return torch.cat([part for part in crops if len(part)])


def _dice_terms(batch: Triple, y_hat_pt: Tensor, *, y_hat_t: Tensor, lam: float) -> dict[str, Tensor]:
    """L_seg^pT, and L_seg^st of the target crops that are annotated (λ_st = λ_pT); no term where none is."""
    parts = zip(("seg", "st"), (batch.synthetic, batch.diseased), (y_hat_pt, y_hat_t), batch.emphasis, strict=True)
    return {
        name: lam * weight * losses.dice(crops.y, y_hat, crops.counted)
        for name, crops, y_hat, weight in parts
        if len(crops.y)
    }


@torch.no_grad()
def mode_dropping(training: SegmentationTraining) -> dict[str, float]:
    """How much sampled codes matter to synthetic tumours on healthy validation images, at the best epoch."""
    healthy, context = training.given.validation_healthy, training.context
    if not training.generative or training.recipe.translate != "both" or not len(healthy):
        return {}
    load_modules(context.directory / WEIGHTS, training.modules)
    rng = generator(context.seed, "segmentation", "diversity")
    training.segmentor.eval()
    values = []
    for batch in healthy.each(context.runtime.at_once(training.recipe.batch)):
        with autocast(context.runtime):
            values.append(diversity(residuals(training.segmentor, batch.x.to(training.device), rng)))
    return {"validation/diversity": float(torch.cat(values).mean())}


def train(
    recipe: SegmentationRecipe,
    selection: Selection,
    context: StageContext,
    *,
    student: SelfTrainingRecipe | None = None,
) -> Training:
    """The segmentation stage: Eq. 5.12, or Eq. 5.5 alone for the self-supervised variant and the references.

    With `student`, one round of self-training, which goes on from the weights of the teacher upstream (Eq. 5.13). True
    target labels stay; every other diseased target crop gets the teacher's prediction.
    """
    given = supervision(recipe, selection, context)
    training = SegmentationTraining(recipe, context, given)
    if student is not None:
        teacher = context.upstream["teacher"]
        load_modules(teacher.file(WEIGHTS), training.modules)
        labelled = pseudo_labelled(training, student)
        training.given = replace(given, diseased=labelled, name=f"self_training/{teacher.key}")
    best = yield from training.fit(training.given.name, epochs=(student or recipe).epochs)
    save_tensors(context.directory / WEIGHTS, best.tensors)
    metrics = {"validation/dice": best.value, **mode_dropping(training)}
    return Outcome(metrics, {"best_epoch": best.epoch, "weights": training.weights})


def pseudo_labelled(training: SegmentationTraining, recipe: SelfTrainingRecipe) -> Crops:
    """The diseased target crops with the teacher's thresholded predictions where no mask is known.

    Departs from the paper in its self-supervised variant, as released: it too knows which halves are diseased.
    """
    crops, runtime = training.given.diseased, training.context.runtime
    unknown = [index for index in range(len(crops)) if index not in crops.annotated]
    masks: dict[PatchIndex, NDArray[np.uint8]] = {}
    for part in pieces(len(unknown), runtime.at_once(training.recipe.batch)):
        x = crops.load(unknown[part], None).x.to(runtime.device)
        labels = pseudo_mask(predict(training.segmentor, x, runtime)[:, 0], recipe)
        masks |= dict(zip((crops.halves.units[index] for index in unknown[part]), labels, strict=True))
    return Crops(crops.halves, masks.get)


def pseudo_mask(y_hat: torch.Tensor, recipe: SelfTrainingRecipe) -> NDArray[np.uint8]:
    """1 above α; below it 0, or `IGNORED` between 1 - α and α when uncertain voxels are to be left out."""
    mask = (y_hat > recipe.threshold).to(torch.uint8)
    if recipe.uncertain == "ignore":
        mask[(y_hat > 1 - recipe.threshold) & (y_hat <= recipe.threshold)] = IGNORED
    labels: NDArray[np.uint8] = mask.cpu().numpy()
    return labels
