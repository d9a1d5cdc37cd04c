"""The CycleGAN's training on slices of one place in two bodies: CycleGAN's terms and Eq. 5."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsearch.core.seeds import generator, seed
from medsearch.data.synthesis.views import Abdomen, Side, SynthesisView
from medsearch.methods.ssbr_cyclegan.config import RegressorConfig
from medsearch.methods.ssbr_cyclegan.constraint import total
from medsearch.methods.ssbr_cyclegan.evaluation import synthesise, towards
from medsearch.methods.ssbr_cyclegan.recipe import InferenceRecipe, TranslationRecipe
from medsearch.methods.ssbr_cyclegan.registering import ByRegistration
from medsearch.methods.ssbr_cyclegan.regressor import Regressor, scores
from medsearch.methods.ssbr_cyclegan.selection import ByPosition, ByScore, Cached, Patient, Scores, Selection, patients
from medsearch.networks.cyclegan import Cycled
from medsearch.stages.context import StageContext
from medsearch.stages.pairs import PairScores, made_pairs
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import load_modules, save_tensors
from medsearch.training.cyclegan import CycleGAN, Unpaired
from medsearch.training.loop import Loop, run
from medsearch.training.precision import prepare_torch
from medsearch.training.prefetch import micro_batches

UNMASKED = InferenceRecipe(binary_mask=False)


@dataclass(frozen=True)
class Slices:
    """A case's slices in [-1, 1], read when they are asked for."""

    of: Abdomen

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """Those with the given numbers."""
        return self.of.images(which)


class TranslationTraining:
    """Everything that the stage holds while it trains."""

    def __init__(
        self, recipe: TranslationRecipe, regressor: RegressorConfig | None, context: StageContext[SynthesisView]
    ) -> None:
        prepare_torch(context.runtime)
        self.recipe, self.context = recipe, context
        self.regressor = _frozen(regressor, context) if regressor else None
        side = context.task.geometry.slice_size
        self.gan = CycleGAN(
            recipe.cyclegan,
            root=seed(context.seed, "translation"),
            size=(side, side),
            runtime=context.runtime,
            identity=recipe.weights.idt * recipe.weights.cyc > 0,
        )
        self.patients = {domain: _patients(context.task, domain) for domain in ("source", "target")}
        self.selection = self._strategy()

    def _strategy(self) -> Selection:
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
        """One patient of each domain, and slices of theirs that show the same anatomy (steps 1 to 5)."""
        rng = generator(self.context.seed, "translation", "epoch", epoch)
        source, target = self.patients["source"], self.patients["target"]
        for a, b in patients(len(source), len(target), rng):
            pairs = self.selection(source[a], target[b], self.recipe.cyclegan.batch, rng=rng)
            x_s, x_t = (torch.from_numpy(x).unsqueeze(1) for x in pairs.cut(source[a], target[b]))
            yield Unpaired(x_s, x_t)

    def g_terms(self, of: Cycled) -> dict[str, Tensor]:
        """CycleGAN's loss, and Eq. 5 each way."""
        return total(self.gan, of, self.recipe.weights, regressor=self.regressor)

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch: as many iterations as the larger domain has patients."""
        self.gan.begin(epoch)
        yield from map(self.gan.step(self.g_terms), micro_batches(self.batches(epoch), self.context.runtime))

    def validate(self) -> dict[str, float]:
        """Scores on the pairs that selection may see, in the task's direction, without the binary mask of inference.

        Nothing where it sees none.
        """
        view = self.context.task
        if "paired.validation.images" not in view.reads:
            return {}
        self.gan.translators.eval()
        translator = towards(self.gan.translators, view)
        make = partial(synthesise, translator=translator, recipe=UNMASKED, runtime=self.context.runtime)
        found = PairScores()
        for pair in made_pairs(make, view, "validation"):
            found.add(pair)
        return found.metrics("validation")


def _patients(view: SynthesisView, side: Side) -> list[Patient]:
    cases = [view.abdomen(side, "train", name) for name in view.subjects(side, "train")]
    return [Patient(of.subject, Slices(of), of.spacing) for of in cases]


def _frozen(config: RegressorConfig, context: StageContext[SynthesisView]) -> Regressor:
    """The trained regressor; what passes through it leaves it as it is."""
    regressor = Regressor(config)
    load_modules(context.upstream["regressor"].file("weights.safetensors"), {"regressor": regressor})
    return regressor.to(context.runtime.device).eval().requires_grad_(False)


def train(
    recipe: TranslationRecipe, regressor: RegressorConfig | None, context: StageContext[SynthesisView]
) -> Training:
    """Train to the last epoch, which is kept: nothing is looked at to pick one."""
    training = TranslationTraining(recipe, regressor, context)
    epochs = recipe.cyclegan.all_epochs
    loop = Loop(
        modules=training.gan.modules,
        optimisers=training.gan.optimisers,
        steps=training.steps,
        validate=training.validate,
        epochs=epochs,
        validate_every=epochs,
        best="",
        keep=("translators",),
    )
    last = yield from run(loop, root=seed(context.seed, "translation"), checkpoint=context.checkpoint)
    save_tensors(context.directory / "weights.safetensors", last.tensors)
    return Outcome(last.measured)
