"""AttENT's first stage: a CycleGAN with gated skips, on diseased slices."""

import torch
from torch import Tensor

from medsearch.cohorts.patches import SliceRule
from medsearch.losses.adversarial import Scales, adversarial_d, adversarial_g
from medsearch.losses.reconstruction import l1
from medsearch.losses.weights import normalised
from medsearch.methods.baselines.attent.networks import Translator
from medsearch.methods.baselines.attent.recipe import TranslationRecipe
from medsearch.methods.baselines.slices import SHARE, ContrastsTraining, Pair, both_contrasts, diseased, require
from medsearch.networks.cyclegan import Cycled, PatchDiscriminator
from medsearch.stages.context import STATES, StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores
from medsearch.training.checkpoints import save_modules, save_tensors
from medsearch.training.fitting import training_mode
from medsearch.training.precision import autocast


class TranslationTraining(ContrastsTraining):
    """Both generators against a discriminator of each contrast; no mask is asked for.

    Raises:
        BadInput: the split leaves no slices of one contrast, or none of the source to select on.
    """

    def __init__(self, recipe: TranslationRecipe, slices: SliceRule, context: StageContext) -> None:
        super().__init__(recipe, context, "attent", "translation")
        self.weights = normalised(vars(recipe.weights))
        self.translator = Translator(recipe)
        self.d_s, self.d_t = PatchDiscriminator(recipe.discriminator), PatchDiscriminator(recipe.discriminator)
        self.hold({"d_s": self.d_s, "d_t": self.d_t}, translator=self.translator)
        self.drawing = both_contrasts(context.task, slices, masks=False)
        held = diseased(context.task, "source", "validation", slices, masks=False)
        self.validation = require(held, "diseased source slice to select on", SHARE)

    def forward(self, batch: Pair) -> Cycled:
        """Both translations and both round trips of a batch."""
        with autocast(self.context.runtime):
            out: Cycled = self.translator(batch.source.x, batch.target.x)
        return out

    def d_terms(self, of: Cycled) -> dict[str, Tensor]:
        """Hinge between whole images, scaled by the generator's weight as released."""
        lam, runtime = self.weights["adv"], self.context.runtime
        real_s, fake_s = discriminator_scores(self.d_s, runtime, of.x_s, of.x_ts.detach())
        real_t, fake_t = discriminator_scores(self.d_t, runtime, of.x_t, of.x_st.detach())
        return {
            "d_s": lam * adversarial_d(averaged(real_s), averaged(fake_s)),
            "d_t": lam * adversarial_d(averaged(real_t), averaged(fake_t)),
        }

    def g_terms(self, of: Cycled) -> dict[str, Tensor]:
        """The total loss, one term a line."""
        lam = self.weights
        (fake_s,) = discriminator_scores(self.d_s, self.context.runtime, of.x_ts)
        (fake_t,) = discriminator_scores(self.d_t, self.context.runtime, of.x_st)
        return {
            "adv": lam["adv"] * (adversarial_g(fake_s) + adversarial_g(fake_t)),
            "cyc": lam["cyc"] * (l1(of.x_sts, of.x_s) + l1(of.x_tst, of.x_t)),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """How far diseased source slices are from what comes back: no mask is seen."""
        training_mode(self.modules.values(), on=False)
        apart = 0.0
        for part in self.validation.each(self.context.runtime.at_once(self.recipe.batch)):
            x_s = part.x.to(self.device)
            with autocast(self.context.runtime):
                apart += float(l1(self.translator.there_and_back(x_s), x_s)) * len(x_s)
        return {"validation/loss": apart / len(self.validation)}


def averaged(scores: Scales) -> list[Tensor]:
    """One score per image: the released discriminators average their patches before any hinge."""
    return [scale.mean((1, 2, 3)) for scale in scores]


def train(recipe: TranslationRecipe, slices: SliceRule, context: StageContext) -> Training:
    """Train; keep the last state, and the epoch that reconstructs validation slices best."""
    training = TranslationTraining(recipe, slices, context)
    best = yield from training.fit(keep=("translator",), best="validation/loss", better=min)
    save_modules(context.directory / STATES["last"], {"translator": training.translator})
    save_tensors(context.directory / STATES["best"], best.tensors)
    return Outcome({"validation/loss": best.value}, {"best_epoch": best.epoch, "weights": training.weights})
