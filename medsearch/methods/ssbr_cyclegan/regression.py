"""The body regressor's training on the abdomens of both domains: Eqs. 1-4."""

from collections.abc import Iterator, Mapping
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.data.views import DOMAINS, Abdomen, SynthesisView
from medsearch.methods.ssbr_cyclegan.recipe import RegressorRecipe
from medsearch.methods.ssbr_cyclegan.regressor import Regressor, scores, start_from_imagenet, terms
from medsearch.methods.ssbr_cyclegan.stacks import StackBatch, require_slices, stacks
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import supervised_step
from medsearch.training.checkpoints import save_tensors
from medsearch.training.loop import Loop, run
from medsearch.training.optimisers import adam
from medsearch.training.precision import prepare_torch
from medsearch.training.prefetch import micro_batches


class Regression:
    """Everything that the stage holds while it trains.

    Raises:
        BadInput: a case's abdomen is too short for a stack.

    """

    def __init__(self, recipe: RegressorRecipe, context: StageContext[SynthesisView]) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, "regressor", "initialisation"))
        self.recipe, self.context = recipe, context
        self.regressor = Regressor(recipe.network).to(context.runtime.device)
        self.started_from = start_from_imagenet(self.regressor, recipe.imagenet)
        self.optimiser = adam([self.regressor], recipe.optimiser, amsgrad=False)
        view = context.task
        self.training = [view.abdomen(side, "train", name) for side in DOMAINS for name in view.subjects(side, "train")]
        self.unseen = [
            view.abdomen(side, "validation", name) for side in DOMAINS for name in view.subjects(side, "validation")
        ]
        require_slices({of.subject: len(of) for of in self.training}, recipe.slices)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Every network by name."""
        return {"regressor": self.regressor}

    def terms(self, batch: StackBatch) -> dict[str, Tensor]:
        """Eq. 4."""
        return terms(self.regressor, batch, self.recipe.weights, runtime=self.context.runtime)

    def batches(self, epoch: int) -> Iterator[StackBatch]:
        """The stacks of every step."""
        recipe, rng = self.recipe, generator(self.context.seed, "regressor", "epoch", epoch)
        counts = [len(of) for of in self.training]
        for _ in range(recipe.steps(epoch)):
            drawn = stacks(counts, volumes=recipe.volumes, size=recipe.slices, sampling=recipe.stacks, rng=rng)
            yield stacked([(self.training[volume], numbers) for volume, numbers in drawn])

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch."""
        self.regressor.train()
        for parts in micro_batches(self.batches(epoch), self.context.runtime):
            yield supervised_step(parts, self.terms, self.optimiser)

    def validate(self) -> dict[str, float]:
        """How well scores order the slices of unseen cases: the mean of Spearman's correlations with their places."""
        self.regressor.eval()
        found = [order_kept(scores(self.regressor, of.images(), self.context.runtime)) for of in self.unseen]
        return {"validation/spearman": fmean(found)} if found else {}


def stacked(drawn: list[tuple[Abdomen, np.ndarray]]) -> StackBatch:
    """Some slices of some volumes as a batch."""
    x = torch.from_numpy(np.stack([of.images(numbers) for of, numbers in drawn])).unsqueeze(2)
    bm = torch.from_numpy(np.stack([of.bodies(numbers) for of, numbers in drawn])) > 0
    return StackBatch(x, bm, len(x))


def order_kept(s: np.ndarray) -> float:
    """Spearman's correlation of the scores of a case's slices with their order; 0 where all scores are one."""
    from scipy.stats import spearmanr

    return float(spearmanr(s, np.arange(len(s))).statistic) if np.ptp(s) > 0 else 0.0


def train(recipe: RegressorRecipe, context: StageContext[SynthesisView]) -> Training:
    """Train to the last epoch."""
    training = Regression(recipe, context)
    loop = Loop(
        modules=training.modules,
        optimisers={"g": training.optimiser},
        steps=training.steps,
        validate=training.validate,
        epochs=recipe.epochs,
        validate_every=recipe.epochs,
        best="",
    )
    last = yield from run(loop, root=seed(context.seed, "regressor"), checkpoint=context.checkpoint)
    save_tensors(context.directory / "weights.safetensors", last.tensors)
    return Outcome(last.measured, {"started_from": training.started_from})
