"""The self-supervised body regressor: where in the abdomen an axial slice lies, from -1 (lungs) to 1 (bowel).

MONAI's ResNet-34 in torchvision's form: equal names, equal output for equal weights. 21 278 913 parameters with one
channel in and one number out. It is trained on the abdomens of both domains: Eqs. 1-4.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.cohorts.views import DOMAINS, Abdomen, SynthesisView
from medsearch.core.files import digest
from medsearch.methods.ssbr_cyclegan.losses import total
from medsearch.methods.ssbr_cyclegan.recipe import KNOB, WANTED, RegressorConfig, RegressorRecipe, RegressorWeights
from medsearch.methods.ssbr_cyclegan.stacks import StackBatch, require_slices, stacks
from medsearch.networks.published import load_backbone
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import save_tensors
from medsearch.training.fitting import NetworkTraining
from medsearch.training.optimisers import adam
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

LOG = logging.getLogger(__name__)
SLICES = 64
"""Scored at once."""


@final
class Regressor(nn.Module):
    """Slices in [-1, 1] to scores."""

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__()
        from monai.networks.nets.resnet import ResNet  # takes seconds

        self.network = ResNet(
            "basic",
            list(config.units),
            [config.width * 2**stage for stage in range(4)],
            spatial_dims=2,
            n_input_channels=1,
            conv1_t_size=7,
            conv1_t_stride=2,
            num_classes=1,
            bias_downsample=False,
        )

    def forward(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, " n"]:
        """One score a slice, in fp32."""
        s: Tensor = self.network(x).squeeze(1)
        return s.float()

    def stacks(self, x: Float[Tensor, "k p 1 h w"]) -> Float[Tensor, "k p"]:
        """Scores of stacks, all slices in one pass."""
        s: Tensor = self(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return s


def start_from_imagenet(regressor: Regressor, path: str) -> str:
    """Fill all but the output from the file, if a path is given; say which, by its digest.

    The first convolution is summed over the file's three channels, so that a grey image gives what it would there.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    if not path:
        return "random"
    load_backbone(regressor.network, Path(path), wanted=WANTED, grey=True)
    found = digest(path, knob=KNOB, wanted=WANTED)
    LOG.info("the body regressor starts from %s (%s)", path, found)
    return found


def terms(regressor: Regressor, batch: StackBatch, lam: RegressorWeights, *, runtime: Runtime) -> dict[str, Tensor]:
    """Eq. 4 of some stacks, for `supervised_step`: over all parts of a batch it is the sum that is printed."""
    with autocast(runtime):
        s = regressor.stacks(batch.x)
    return {name: batch.emphasis * term for name, term in total(s, batch.bm, lam).items()}


@torch.no_grad()
def scores(regressor: Regressor, slices: NDArray[np.float32], runtime: Runtime) -> NDArray[np.float32]:
    """Of a patient's slices (n, h, w) in [-1, 1], by a regressor in eval mode."""
    parts = torch.split(torch.from_numpy(slices).unsqueeze(1), runtime.at_once(SLICES))
    with autocast(runtime):
        found = [regressor(part.to(runtime.device)).cpu() for part in parts]
    as_array: NDArray[np.float32] = torch.cat(found).numpy()
    return as_array


class Regression(NetworkTraining[StageContext[SynthesisView]]):
    """Everything that the stage holds while it trains.

    Raises:
        BadInput: a case's abdomen is too short for a stack.

    """

    def __init__(self, recipe: RegressorRecipe, context: StageContext[SynthesisView]) -> None:
        super().__init__(recipe, context, "regressor")
        self.regressor = Regressor(recipe.network).to(context.runtime.device)
        self.started_from = start_from_imagenet(self.regressor, recipe.imagenet)
        self.modules = {"regressor": self.regressor}
        self.optimisers = {"g": adam([self.regressor], recipe.optimiser, amsgrad=False)}
        view = context.task
        self.training = [view.abdomen(side, "train", name) for side in DOMAINS for name in view.subjects(side, "train")]
        self.unseen = [
            view.abdomen(side, "validation", name) for side in DOMAINS for name in view.subjects(side, "validation")
        ]
        require_slices({of.subject: len(of) for of in self.training}, recipe.slices)

    def terms(self, batch: StackBatch) -> dict[str, Tensor]:
        """Eq. 4."""
        return terms(self.regressor, batch, self.recipe.weights, runtime=self.context.runtime)

    def batches(self, epoch: int) -> Iterator[StackBatch]:
        """The stacks of every step."""
        recipe, rng = self.recipe, self.rng(epoch)
        counts = [len(of) for of in self.training]
        for _ in range(recipe.steps(epoch)):
            drawn = stacks(counts, volumes=recipe.volumes, size=recipe.slices, sampling=recipe.stacks, rng=rng)
            yield stacked([(self.training[volume], numbers) for volume, numbers in drawn])

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch."""
        self.begin_epoch(epoch)
        yield from self.supervised(self.batches(epoch), self.terms)

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
    last = yield from training.fit(best="")
    save_tensors(context.directory / "weights.safetensors", last.tensors)
    return Outcome(last.measured, {"started_from": training.started_from})
