"""The supervised U-Net: GenSeg's encoder and segmentation decoder, and its training on one list of annotated slices."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.cohorts.patches import cycled
from medsearch.cohorts.views import Domain
from medsearch.losses.dice import dice
from medsearch.methods.baselines.recipe import Supervision, sides
from medsearch.methods.baselines.slices import SelectedByDice, diseased, require, validation_slices
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe
from medsearch.networks.config import GenSegConfig
from medsearch.networks.genseg import GenSegEncoder, ResidualSegmentationDecoder, SwitchedNorm
from medsearch.stages.context import StageContext
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.inference import Segment
from medsearch.training.optimisers import adam
from medsearch.training.precision import autocast


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
        """Probabilities of tumour in every pixel."""
        y: Tensor = self.decoder(self.encoder(x), "segmentation")
        return y


class SegmentationTraining(SelectedByDice):
    """The training on the annotated diseased slices of the domains that supervise, selected on these domains.

    Raises:
        BadInput: the split leaves no mask to learn from, or none to select on.
    """

    def __init__(self, recipe: SegmentationRecipe, context: StageContext) -> None:
        super().__init__(recipe, context, "supervised_unet")
        self.network = UNet(recipe.network).to(self.device)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimisers = {"g": adam([self.network], recipe.optimiser, amsgrad=recipe.optimiser.amsgrad)}
        every = {domain: diseased(context.task, domain, "train", recipe.slices) for domain in sides(recipe.supervision)}
        self.drawn = sum(map(len, every.values()))
        """Slices that an epoch draws: as many as are diseased, with a mask or without."""
        self.annotated: dict[Domain, Crops] = {}
        for domain, crops in every.items():
            units = tuple(unit for index, unit in enumerate(crops.halves.units) if index in crops.annotated)
            self.annotated[domain] = replace(crops, halves=replace(crops.halves, units=units))
        what = f"annotated diseased slice for supervision by {recipe.supervision!r}"
        taught = [domain for domain, crops in self.annotated.items() if len(crops)]
        require(taught, what, "raise task.source_labels or task.target_labels")
        selected_on: Supervision = "both" if len(taught) == 2 else taught[0]
        self.validation = validation_slices(context.task, selected_on, recipe.slices)

    def terms(self, batch: CropBatch) -> dict[str, Tensor]:
        """Eq. 4.3: soft Dice over a batch's annotated slices."""
        with autocast(self.context.runtime):
            y_hat = self.network(batch.x).float()
        return {"seg": dice(batch.y, y_hat)}

    def batches(self, epoch: int) -> Iterator[CropBatch]:
        """The slices of an epoch: annotated ones of all domains, cycled; each batch has the source's first."""
        rng, size = self.rng(epoch), self.recipe.batch
        slices = [(crops, index) for crops in self.annotated.values() for index in range(len(crops))]
        for which in cycled(len(slices), size, math.ceil(self.drawn / size), rng):
            drawn = [slices[number] for number in which]
            shares = [(crops, [index for part, index in drawn if part is crops]) for crops in self.annotated.values()]
            loaded = [crops.load(own, rng if self.recipe.augment else None) for crops, own in shares if own]
            yield CropBatch(torch.cat([part.x for part in loaded]), torch.cat([part.y for part in loaded]))

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """The loss of every step of an epoch, counted from 1."""
        self.begin_epoch(epoch)
        yield from self.supervised(self.batches(epoch), self.terms)

    def segments(self) -> dict[Domain, Segment]:
        """The network segments slices of either domain."""
        return dict.fromkeys(self.validation, self.network)
