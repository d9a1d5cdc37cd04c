"""The CycleGAN's training on slices of one place in two bodies: CycleGAN's terms and Eq. 5."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from medsearch.core.seeds import generator
from medsearch.data.views import Abdomen, Domain, SynthesisView
from medsearch.methods.ssbr_cyclegan.config import RegressorConfig
from medsearch.methods.ssbr_cyclegan.constraint import total
from medsearch.methods.ssbr_cyclegan.recipe import TranslationRecipe
from medsearch.methods.ssbr_cyclegan.registering import ByRegistration
from medsearch.methods.ssbr_cyclegan.regressor import Regressor, scores
from medsearch.methods.ssbr_cyclegan.selection import ByPosition, ByScore, Cached, Pairing, Patient, Scores, patients
from medsearch.networks.cyclegan import Cycled
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Training
from medsearch.stages.synthesis.translating import Translating, begun, training_cases
from medsearch.training.checkpoints import load_modules
from medsearch.training.cyclegan import Unpaired


@dataclass(frozen=True)
class CaseSlices:
    """A case's slices in [-1, 1], read when they are asked for."""

    of: Abdomen

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """Those with the given numbers."""
        return self.of.images(which)


class PairedTranslation:
    """Everything that the stage holds beside a CycleGAN: a regressor if anything asks it, patients, their selection."""

    def __init__(
        self, recipe: TranslationRecipe, regressor: RegressorConfig | None, context: StageContext[SynthesisView]
    ) -> None:
        self.recipe, self.context = recipe, context
        self.gan = begun(recipe.cyclegan, recipe.weights, context)
        self.regressor = _frozen(regressor, context) if regressor else None
        self.patients = {side: _patients(context.task, side) for side in ("source", "target")}
        self.selection = self._strategy()
        self.translating = Translating(self.gan, context, batches=self.batches, g_terms=self.g_terms)

    def _strategy(self) -> Pairing:
        """How slices of two patients are paired."""
        by_position = ByPosition(self.recipe.jitter)
        if self.recipe.selection == "score":
            return ByScore(Cached(self.score) if self.recipe.cached_scores else self.score, by_position)
        return by_position if self.recipe.selection == "position" else ByRegistration(self.context.runtime.threads)

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


def _patients(view: SynthesisView, side: Domain) -> list[Patient]:
    return [Patient(of.subject, CaseSlices(of), of.spacing) for of in training_cases(view, side)]


def _frozen(config: RegressorConfig, context: StageContext[SynthesisView]) -> Regressor:
    """The trained regressor; what passes through it leaves it as it is."""
    regressor = Regressor(config)
    load_modules(context.upstream["regressor"].file("weights.safetensors"), {"regressor": regressor})
    return regressor.to(context.runtime.device).eval().requires_grad_(False)


def train(
    recipe: TranslationRecipe, regressor: RegressorConfig | None, context: StageContext[SynthesisView]
) -> Training:
    """Train to the last epoch."""
    return PairedTranslation(recipe, regressor, context).translating.train()
