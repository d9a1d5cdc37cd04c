"""How baselines train that see diseased slices of both contrasts: by Adam, against discriminators."""

from collections.abc import Generator, Iterable, Mapping

import torch
from torch import Tensor, nn

from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.methods.baselines.slices import Drawing
from medsearch.stages.context import StageContext
from medsearch.training import optimisers
from medsearch.training.fitting import AdversarialTraining


class ContrastsTraining(AdversarialTraining[StageContext]):
    """Everything that a stage holds while it trains; its recipe has `batch` and `augment`."""

    drawing: Drawing

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """One epoch."""
        self.begin_epoch(epoch)
        batches = self.drawing.batches(self.recipe.batch, augment=self.recipe.augment, rng=self.rng(epoch))
        yield from self.adversarial(batches)


def adam(modules: Iterable[nn.Module], settings: AdamRecipe) -> torch.optim.Adam:
    """With AMSGrad or without, as the recipe says."""
    return optimisers.adam(modules, settings, amsgrad=settings.amsgrad)
