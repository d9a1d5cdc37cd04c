"""The supervised U-Net: GenSeg's encoder and segmentation decoder, and its training on one list of annotated slices."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.cohorts.patches import SliceRule, cycled
from medsearch.cohorts.views import Domain, TaskView
from medsearch.losses.dice import dice
from medsearch.methods.baselines.reads import Supervision, sides
from medsearch.methods.baselines.slices import adam, diseased, missing, only_annotated, validation_slices
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe
from medsearch.networks.config import GenSegConfig
from medsearch.networks.genseg import GenSegEncoder, ResidualSegmentationDecoder, SwitchedNorm
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import load_trained, save_tensors
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.fitting import NetworkTraining, training_mode
from medsearch.training.inference import micro_dice
from medsearch.training.precision import autocast, prepare_torch


@final
class UNet(nn.Module):
    """Images to probabilities of tumour; 6.437 M parameters, of which the residual's norms and head are frozen."""

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        self.encoder, self.decoder = GenSegEncoder(config), ResidualSegmentationDecoder(config)
        inner = self.decoder.decoder
        for unused in (*(part.norms for part in inner.modules() if isinstance(part, SwitchedNorm)), inner.heads):
            unused["residual"].requires_grad_(False)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Of the same size."""
        y: Tensor = self.decoder(self.encoder(x), "segmentation")
        return y


@dataclass(frozen=True)
class Pool:
    """Annotated diseased slices by domain; `epoch` counts those without a mask too."""

    parts: dict[Domain, Crops]
    epoch: int

    @staticmethod
    def of(task: TaskView, supervision: Supervision, rule: SliceRule) -> "Pool":
        """The training slices of the domains that supervise."""
        every = {domain: diseased(task, domain, "train", rule) for domain in sides(supervision)}
        annotated = {domain: only_annotated(crops) for domain, crops in every.items()}
        return Pool(annotated, sum(map(len, every.values())))

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    @property
    def annotated(self) -> Supervision | None:
        """The domains that have masks to show."""
        found = [domain for domain, crops in self.parts.items() if len(crops)]
        return None if not found else found[0] if len(found) == 1 else "both"

    def batches(self, size: int, *, augment: bool, rng: np.random.Generator) -> Iterator[CropBatch]:
        """One epoch; the list is cycled to its length."""
        for which in cycled(len(self), size, math.ceil(self.epoch / size), rng):
            yield self.load(which, rng if augment else None)

    def load(self, which: Sequence[int], rng: np.random.Generator | None) -> CropBatch:
        """Slices by their numbers in the list of all domains."""
        loaded, first = [], 0
        for crops in self.parts.values():
            own = [index - first for index in which if first <= index < first + len(crops)]
            first += len(crops)
            if own:
                loaded.append(crops.load(own, rng))
        return CropBatch(torch.cat([part.x for part in loaded]), torch.cat([part.y for part in loaded]))


class SegmentationTraining(NetworkTraining[StageContext]):
    """Everything that the stage holds while it trains.

    Raises:
        BadInput: the split leaves no mask to learn from, or none to select on.
    """

    def __init__(self, recipe: SegmentationRecipe, context: StageContext) -> None:
        super().__init__(recipe, context, "supervised_unet")
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
        self.begin_epoch(epoch)
        batches = self.pool.batches(self.recipe.batch, augment=self.recipe.augment, rng=self.rng(epoch))
        yield from self.supervised(batches, self.terms)

    def validate(self) -> dict[str, float]:
        """Dice on the domains that it learns from."""
        training_mode(self.modules.values(), on=False)
        routes = [(self.network, crops) for crops in self.validation.values()]
        return micro_dice(routes, self.context.runtime, batch=self.recipe.batch)


def train(recipe: SegmentationRecipe, context: StageContext) -> Training:
    """Train and keep the epoch with the highest validation Dice."""
    training = SegmentationTraining(recipe, context)
    best = yield from training.fit()
    save_tensors(context.directory / "weights.safetensors", best.tensors)
    return Outcome(
        {"validation/dice": best.value}, {"best_epoch": best.epoch, "selected_on": list(training.validation)}
    )


def trained(segmentation: SegmentationRecipe, context: StageContext) -> UNet:
    """What was trained upstream."""
    prepare_torch(context.runtime)
    weights = context.upstream["segmentor"].file("weights.safetensors")
    return load_trained(UNet(segmentation.network), weights, "network", context.runtime.device)
