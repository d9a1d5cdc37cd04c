"""AccSegNet's training: translation and segmentation at once."""

import torch
from torch import Tensor

from medsearch.cohorts.views import Domain
from medsearch.losses.adversarial import adversarial_d, adversarial_g, least_squares_d, least_squares_g
from medsearch.losses.dice import dice
from medsearch.methods.baselines.accsegnet import losses
from medsearch.methods.baselines.accsegnet.networks import AccSegNet, Projections, Translated
from medsearch.methods.baselines.accsegnet.recipe import SegmentationRecipe
from medsearch.methods.baselines.recipe import SelectedOn
from medsearch.methods.baselines.slices import (
    ContrastsTraining,
    Pair,
    SelectedByDice,
    both_contrasts,
    validation_slices,
)
from medsearch.networks.cyclegan import PatchDiscriminator
from medsearch.stages.context import StageContext
from medsearch.training.adversarial import discriminator_scores
from medsearch.training.inference import Segment
from medsearch.training.precision import autocast

REAL_FAKE = {
    "hinge": (adversarial_d, adversarial_g),
    "least-squares": (least_squares_d, least_squares_g),
}
DICE = {"plain": dice, "squared": losses.squared_dice}


class SegmentationTraining(SelectedByDice, ContrastsTraining):
    """The one training: generators and segmentor against a discriminator of each contrast that is generated.

    Raises:
        BadInput: the split leaves no slices of one contrast, no mask, or nothing to select on.
    """

    def __init__(self, recipe: SegmentationRecipe, *, selected_on: SelectedOn, context: StageContext) -> None:
        super().__init__(recipe, context, "accsegnet")
        self.network, self.d_t = AccSegNet(recipe), PatchDiscriminator(recipe.discriminator)
        self.d_s = PatchDiscriminator(recipe.discriminator) if recipe.form == "cycle" else None
        self.projections = Projections(recipe.patches, self.network.to_t) if recipe.weights.nce else None
        self.mind = losses.MIND().to(self.device)
        projecting = {} if self.projections is None else {"projections": self.projections}
        judges = {"d_t": self.d_t} if self.d_s is None else {"d_t": self.d_t, "d_s": self.d_s}
        self.hold(judges, network=self.network, **projecting)
        self.drawing = both_contrasts(context.task, recipe.slices)
        self.validation = validation_slices(context.task, selected_on, recipe.slices)

    def forward(self, batch: Pair) -> Translated:
        """Every translation and segmentation of a batch."""
        with autocast(self.context.runtime):
            out: Translated = self.network(batch)
        return out

    def d_terms(self, of: Translated) -> dict[str, Tensor]:
        """Real and translated slices, told apart."""
        (real_fake, _), runtime = REAL_FAKE[self.recipe.adversarial], self.context.runtime
        real, fake = discriminator_scores(self.d_t, runtime, of.batch.target.x, of.x_st.detach())
        terms = {"d_t": real_fake(real, fake)}
        if self.d_s is not None and of.cycle is not None:
            real, fake = discriminator_scores(self.d_s, runtime, of.batch.source.x, of.cycle.x_ts.detach())
            terms["d_s"] = real_fake(real, fake)
        return terms

    def g_terms(self, of: Translated) -> dict[str, Tensor]:
        """The total loss, one term a line; what has no weight is not computed.

        The Dice is one over S translated to T and over T, as compared; it is no term where no slice is annotated.
        """
        lam, cycle, x_s, x_t, y = self.recipe.weights, of.cycle, of.batch.source.x, of.batch.target.x, of.batch.y
        terms: dict[str, Tensor] = {}
        if lam.adv:
            _, fooled = REAL_FAKE[self.recipe.adversarial]
            fakes = [(self.d_t, of.x_st)]
            if self.d_s is not None and cycle is not None:
                fakes.append((self.d_s, cycle.x_ts))
            scores = [discriminator_scores(judge, self.context.runtime, fake)[0] for judge, fake in fakes]
            terms["adv"] = lam.adv * torch.stack([fooled(scales) for scales in scores]).sum()
        if lam.idt and cycle is not None:
            terms["idt"] = lam.idt * (losses.mse(cycle.x_ss, x_s) + losses.mse(cycle.x_tt, x_t))
        if lam.cyc and cycle is not None:
            terms["cyc"] = lam.cyc * (losses.mse(cycle.x_sts, x_s) + losses.mse(cycle.x_tst, x_t))
        if lam.ana:
            back = 0.0 if cycle is None else losses.anatomy(x_t, cycle.x_ts)
            terms["ana"] = lam.ana * (losses.anatomy(x_s, of.x_st) + back)
        if lam.nce:
            terms["nce"] = lam.nce * self._nce(of)
        if lam.mind:  # the official loss is a sum over the batch
            terms["mind"] = lam.mind * self.recipe.batch * losses.mind_distance(self.mind, x_s, of.x_st)
        if lam.seg and len(y):
            y_hat = torch.cat([of.y_hat_st, of.y_hat_t])
            terms["seg"] = lam.seg * of.batch.emphasis * DICE[self.recipe.dice](y, y_hat)
        return terms

    def _nce(self, of: Translated) -> Tensor:
        """PatchNCE between source slices and their translations."""
        assert self.projections is not None
        layers = self.recipe.patches.layers
        with autocast(self.context.runtime):
            queries = self.network.to_t.features(of.x_st, layers)
            with torch.no_grad():  # after the queries, see `Projections`
                keys = self.network.to_t.features(of.batch.source.x, layers)
            projected_queries, projected_keys = self.projections(queries, keys)
        return losses.layered_nce(projected_queries, projected_keys, self.recipe.patches.temperature)

    def segments(self) -> dict[Domain, Segment]:
        """Target slices are segmented as they are, source slices by way of their translation."""
        return {"source": self.network.segment_source, "target": self.network.segmentor}
