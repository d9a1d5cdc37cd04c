"""Training and test of the supervised U-Net."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.losses.dice import dice
from medsearch.methods.baselines.drawing import missing
from medsearch.methods.baselines.fitting import begin_epoch, fitted
from medsearch.methods.baselines.optimising import adam
from medsearch.methods.baselines.selecting import training_mode, validation_slices
from medsearch.methods.baselines.testing import scored
from medsearch.methods.baselines.unet.network import UNet
from medsearch.methods.baselines.unet.pool import Pool
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import supervised_step
from medsearch.training.checkpoints import load_modules, save_tensors
from medsearch.training.crops import CropBatch
from medsearch.training.precision import autocast, prepare_torch
from medsearch.training.prefetch import micro_batches
from medsearch.training.selecting import micro_dice


class SegmentationTraining:
    """Everything that the stage holds while it trains.

    Raises:
        BadInput: the split leaves no mask to learn from, or none to select on.
    """

    def __init__(self, recipe: SegmentationRecipe, context: StageContext) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, "supervised_unet", "initialisation"))
        self.recipe, self.context, self.device = recipe, context, context.runtime.device
        self.network = UNet(recipe.network).to(self.device)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimisers = {"g": adam([self.network], recipe.optimiser)}
        self.pool = Pool.of(context.task, recipe.supervision, recipe.slices)
        if self.pool.annotated is None:
            what = f"annotated diseased slice for supervision by {recipe.supervision!r}"
            raise missing(what, "raise task.source_labels or task.target_labels")
        self.validation = validation_slices(context.task, self.pool.annotated, recipe.slices)

    def terms(self, batch: CropBatch) -> dict[str, Tensor]:
        """Eq. 4.3."""
        with autocast(self.context.runtime):
            y_hat = self.network(batch.x).float()
        return {"seg": dice(batch.y, y_hat)}

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch."""
        recipe = self.recipe
        begin_epoch(self, epoch)
        rng = generator(self.context.seed, "supervised_unet", "epoch", epoch)
        batches = self.pool.batches(recipe.batch, augment=recipe.augment, rng=rng)
        for parts in micro_batches(batches, self.context.runtime):
            yield supervised_step(parts, self.terms, self.optimisers["g"])

    def validate(self) -> dict[str, float]:
        """Dice on the domains that it learns from."""
        training_mode(self.modules.values(), on=False)
        routes = [(self.network, crops) for crops in self.validation.values()]
        return micro_dice(routes, self.context.runtime, batch=self.recipe.batch)


def train(recipe: SegmentationRecipe, context: StageContext) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    training = SegmentationTraining(recipe, context)
    best = yield from fitted(training, "supervised_unet")
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    return Outcome(
        {"validation/dice": best.value}, {"best_epoch": best.epoch, "selected_on": list(training.validation)}
    )


def test(recipe: EvaluationRecipe, segmentation: SegmentationRecipe, context: StageContext) -> Training:
    """Score the test cases."""
    prepare_torch(context.runtime)
    network = UNet(segmentation.network)
    load_modules(context.upstream["segmentor"].file("weights.safetensors"), {"network": network})
    return scored(network.to(context.runtime.device).eval(), context, recipe)
