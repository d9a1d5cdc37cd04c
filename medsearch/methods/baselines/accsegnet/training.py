"""AccSegNet's training, translation and segmentation at once, and its test."""

import torch
from torch import Tensor, nn

from medsearch.cohorts.views import Domain
from medsearch.losses.adversarial import adversarial_d, adversarial_g, least_squares_d, least_squares_g
from medsearch.losses.dice import dice
from medsearch.methods.baselines.accsegnet import losses
from medsearch.methods.baselines.accsegnet.networks import AccSegNet, Projections, Translated
from medsearch.methods.baselines.accsegnet.recipe import SegmentationRecipe
from medsearch.methods.baselines.reads import SelectedOn
from medsearch.methods.baselines.slices import ContrastsTraining, Pair, adam, both_contrasts, validation_slices
from medsearch.networks.cyclegan import PatchDiscriminator
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores
from medsearch.training.checkpoints import load_trained, save_tensors
from medsearch.training.fitting import training_mode
from medsearch.training.inference import Segment, micro_dice
from medsearch.training.precision import autocast, prepare_torch

REAL_FAKE = {
    "hinge": (adversarial_d, adversarial_g),
    "least-squares": (least_squares_d, least_squares_g),
}
DICE = {"plain": dice, "squared": losses.squared_dice}


class SegmentationTraining(ContrastsTraining):
    """Everything that the stage holds while it trains."""

    def __init__(self, recipe: SegmentationRecipe, *, of: SelectedOn, context: StageContext) -> None:
        super().__init__(recipe, context, "accsegnet")
        self.network, self.d_t = AccSegNet(recipe), PatchDiscriminator(recipe.discriminator)
        self.d_s = PatchDiscriminator(recipe.discriminator) if recipe.form == "cycle" else None
        self.projections = Projections(recipe.patches, self.network.to_t) if recipe.weights.nce else None
        self.mind = losses.MIND().to(self.device)
        named = {"network": self.network, "d_t": self.d_t, "d_s": self.d_s, "projections": self.projections}
        self.modules: dict[str, nn.Module] = {name: of for name, of in named.items() if of is not None}
        training_mode((module.to(self.device) for module in self.modules.values()), on=True)
        self.judges = [self.modules[name] for name in ("d_t", "d_s") if name in self.modules]
        self.generators = [module for module in self.modules.values() if module not in self.judges]
        self.optimisers = {"g": adam(self.generators, recipe.optimiser), "d": adam(self.judges, recipe.optimiser)}
        self.drawing = both_contrasts(context.task, recipe.slices)
        self.validation = validation_slices(context.task, of, recipe.slices)

    def forward(self, batch: Pair) -> Translated:
        """Every translation and segmentation of a batch."""
        with autocast(self.context.runtime):
            out: Translated = self.network(batch)
        return out

    def d_terms(self, of: Translated) -> dict[str, Tensor]:
        """Real and translated slices, told apart."""
        real_fake, _ = REAL_FAKE[self.recipe.adversarial]
        terms = {
            "d_t": real_fake(*discriminator_scores(self.d_t, self.context.runtime, of.batch.target.x, of.x_st.detach()))
        }
        if self.d_s is not None and of.x_ts is not None:
            real, fake = discriminator_scores(self.d_s, self.context.runtime, of.batch.source.x, of.x_ts.detach())
            terms["d_s"] = real_fake(real, fake)
        return terms

    def g_terms(self, of: Translated) -> dict[str, Tensor]:
        """The terms that have a weight, one a line."""
        lam, x_s = self.recipe.weights, of.batch.source.x
        terms = {
            "adv": (lam.adv, self._adversarial),
            "idt": (lam.idt, _identity),
            "cyc": (lam.cyc, _cycle),
            "ana": (lam.ana, _anatomy),
            "nce": (lam.nce, self._nce),
            # the official loss is a sum over the batch
            "mind": (lam.mind * self.recipe.batch, lambda of: losses.mind_distance(self.mind, x_s, of.x_st)),
        }
        found = {name: (weight, term(of)) for name, (weight, term) in terms.items() if weight}
        return {
            **{name: weight * value for name, (weight, value) in found.items() if value is not None},
            **self._segmentation(of),
        }

    def _adversarial(self, of: Translated) -> Tensor:
        _, fooled = REAL_FAKE[self.recipe.adversarial]
        (fake_t,) = discriminator_scores(self.d_t, self.context.runtime, of.x_st)
        if self.d_s is None or of.x_ts is None:
            return fooled(fake_t)
        (fake_s,) = discriminator_scores(self.d_s, self.context.runtime, of.x_ts)
        return fooled(fake_t) + fooled(fake_s)

    def _nce(self, of: Translated) -> Tensor:
        assert self.projections is not None
        layers = self.recipe.patches.layers
        with autocast(self.context.runtime):
            queries = self.network.to_t.features(of.x_st, layers)
            with torch.no_grad():  # after the queries, see `Projections`
                keys = self.network.to_t.features(of.batch.source.x, layers)
            of_queries, of_keys = self.projections(queries, keys)
        return losses.layered_nce(of_queries, of_keys, self.recipe.patches.temperature)

    def _segmentation(self, of: Translated) -> dict[str, Tensor]:
        """One Dice over S translated to T and over T, as compared; no term where no slice of the batch is annotated."""
        lam, y = self.recipe.weights.seg * of.batch.emphasis, of.batch.y
        if not lam or not len(y):
            return {}
        return {"seg": lam * DICE[self.recipe.dice](y, torch.cat([of.y_hat_st, of.y_hat_t]))}

    def validate(self) -> dict[str, float]:
        """Dice on target slices, or on source slices by way of their translation."""
        training_mode(self.modules.values(), on=False)
        segments: dict[Domain, Segment] = {"source": self.network.segment_source, "target": self.network.segmentor}
        routes = [(segments[domain], crops) for domain, crops in self.validation.items()]
        return micro_dice(routes, self.context.runtime, batch=self.recipe.batch)


def _identity(of: Translated) -> Tensor | None:
    if of.x_ss is None or of.x_tt is None:
        return None
    return losses.mse(of.x_ss, of.batch.source.x) + losses.mse(of.x_tt, of.batch.target.x)


def _cycle(of: Translated) -> Tensor | None:
    if of.x_sts is None or of.x_tst is None:
        return None
    return losses.mse(of.x_sts, of.batch.source.x) + losses.mse(of.x_tst, of.batch.target.x)


def _anatomy(of: Translated) -> Tensor:
    loss = losses.anatomy(of.batch.source.x, of.x_st)
    return loss if of.x_ts is None else loss + losses.anatomy(of.batch.target.x, of.x_ts)


def train(recipe: SegmentationRecipe, *, of: SelectedOn, context: StageContext) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    training = SegmentationTraining(recipe, of=of, context=context)
    best = yield from training.fit(keep=("network",))
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    return Outcome(
        {"validation/dice": best.value}, {"best_epoch": best.epoch, "selected_on": list(training.validation)}
    )


def trained(segmentation: SegmentationRecipe, domain: Domain, context: StageContext) -> Segment:
    """Segments slices of a domain by what was trained upstream."""
    prepare_torch(context.runtime)
    weights = context.upstream["segmentor"].file("weights.safetensors")
    network = load_trained(AccSegNet(segmentation), weights, "network", context.runtime.device)
    return network.segmentor if domain == "target" else network.segment_source
