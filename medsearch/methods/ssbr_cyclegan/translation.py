"""The CycleGAN's training on slices of one place in two bodies, CycleGAN's terms and Eq. 5; its mask at inference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from medsearch.cohorts.views import DOMAINS, Abdomen, SynthesisView
from medsearch.core.seeds import generator
from medsearch.methods.ssbr_cyclegan.losses import acl
from medsearch.methods.ssbr_cyclegan.recipe import RegressorConfig, TranslationRecipe, Weights
from medsearch.methods.ssbr_cyclegan.registering import ByRegistration
from medsearch.methods.ssbr_cyclegan.regression import Regressor, scores
from medsearch.methods.ssbr_cyclegan.selection import (
    AIR,
    ByPosition,
    ByScore,
    Cached,
    Pairing,
    Patient,
    Scores,
    patients,
)
from medsearch.networks.cyclegan import Cycled
from medsearch.stages.context import StageContext
from medsearch.stages.translating import Translating, build_cyclegan, training_cases
from medsearch.training.cyclegan import CycleGAN, Unpaired
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime


@dataclass(frozen=True)
class CaseSlices:
    """A case's slices in [-1, 1], read when they are asked for."""

    of: Abdomen

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """The slices with the given numbers, (n, h, w)."""
        return self.of.images(which)


class PairedTranslation:
    """A CycleGAN in training beside a regressor, if anything asks it, and patients whose slices are paired.

    selection: how slices of two patients are paired.
    """

    def __init__(
        self, recipe: TranslationRecipe, regressor: RegressorConfig | None, context: StageContext[SynthesisView]
    ) -> None:
        self.recipe, self.context, runtime = recipe, context, context.runtime
        self.gan = build_cyclegan(recipe.cyclegan, recipe.weights, context)
        self.regressor = None
        if regressor:  # trained, and left as it is by what passes through it
            self.regressor = context.trained("regressor", Regressor(regressor), "regressor").requires_grad_(False)
        self.patients = {
            side: [Patient(of.subject, CaseSlices(of), of.spacing) for of in training_cases(context.task, side)]
            for side in DOMAINS
        }
        by_position = ByPosition(recipe.jitter)
        self.selection: Pairing = by_position
        if recipe.selection == "score":
            self.selection = ByScore(Cached(self.score) if recipe.cached_scores else self.score, by_position)
        elif recipe.selection == "registration":
            self.selection = ByRegistration(runtime.threads)
        self.translating = Translating(self.gan, context, batches=self.batches, g_terms=self.g_terms)

    def score(self, patient: Patient) -> Scores:
        """Of all slices of a patient's abdomen (step 3)."""
        assert self.regressor is not None
        return scores(self.regressor, patient.slices[slice(None)], self.context.runtime)

    def batches(self, epoch: int) -> Iterator[Unpaired]:
        """One patient of each domain, and slices of theirs that show the same anatomy (steps 1 to 5).

        As many iterations as the larger domain has patients.
        """
        rng = generator(self.context.seed, "translation", "epoch", epoch)
        source, target = self.patients["source"], self.patients["target"]
        for a, b in patients(len(source), len(target), rng):
            pairs = self.selection(source[a], target[b], self.recipe.cyclegan.batch, rng=rng)
            yield Unpaired.of(*pairs.cut(source[a], target[b]))

    def g_terms(self, of: Cycled) -> dict[str, Tensor]:
        """CycleGAN's loss, and Eq. 5 each way."""
        return total(self.gan, of, self.recipe.weights, regressor=self.regressor)


def total(gan: CycleGAN, of: Cycled, lam: Weights, *, regressor: Regressor | None) -> dict[str, Tensor]:
    """The loss that generators minimise: CycleGAN's, and Eq. 5 where it has a weight."""
    terms = gan.g_terms(of, cyc=lam.cyc, idt=lam.idt)
    return {**terms, "acl": lam.acl * constraint(regressor, of, runtime=gan.runtime)} if lam.acl else terms


def constraint(regressor: Regressor | None, of: Cycled, *, runtime: Runtime) -> Float[Tensor, ""]:
    """Eq. 5 each way, through a frozen regressor in eval mode."""
    assert regressor is not None
    with autocast(runtime):
        with torch.no_grad():
            real = regressor(torch.cat([of.x_s, of.x_t]))
        fake = regressor(torch.cat([of.x_st, of.x_ts]))
    (s, t), (st, ts) = (scores.chunk(2) for scores in (real, fake))
    return acl(s, st) + acl(t, ts)


def within_body(made: Float[Tensor, "b 1 h w"], of: Abdomen) -> Float[Tensor, "b 1 h w"]:
    """What was made of a case, background where it has no body: the binary mask at inference (section 2)."""
    body = torch.from_numpy(of.bodies()) > 0
    return torch.where(body.unsqueeze(1), made, AIR)
