"""The self-supervised body regressor: where in the abdomen an axial slice lies, from -1 (lungs) to 1 (bowel).

MONAI's ResNet-34 in torchvision's form: equal names, equal output for equal weights. 21 278 913 parameters with one
channel in and one number out. It is trained on the abdomens of both domains: Eqs. 1-4.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from medsearch.cohorts.views import DOMAINS, SynthesisView
from medsearch.core.errors import BadInput
from medsearch.core.files import digest
from medsearch.methods.ssbr_cyclegan.losses import total
from medsearch.methods.ssbr_cyclegan.recipe import KNOB, WANTED, RegressorConfig, RegressorRecipe, RegressorWeights
from medsearch.networks.published import load_backbone
from medsearch.stages.context import WEIGHTS, StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.checkpoints import save_tensors
from medsearch.training.fitting import NetworkTraining
from medsearch.training.optimisers import adam
from medsearch.training.precision import autocast
from medsearch.training.prefetch import TensorBatch
from medsearch.training.runtime import Runtime

LOG = logging.getLogger(__name__)
SLICES = 64
"""Scored at once."""

Sampling = Literal["equal-steps", "random"]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class StackBatch(TensorBatch):
    """Stacks of slices in [-1, 1], superior ones first, and their body masks; `of` so many in the whole batch.

    A micro-batch is of a batch as large as before.
    """

    x: Float[Tensor, "k p 1 h w"]
    bm: Bool[Tensor, "k p h w"]
    of: int

    @property
    def emphasis(self) -> float:
        """What makes the sums of Eqs. 1-3 over some of the stacks add up, when steps weigh them by their shares."""
        return self.of / len(self)


def stack(count: int, size: int, *, sampling: Sampling, rng: np.random.Generator) -> Numbers:
    """`size` of a region's `count` slices, rising, the first and the last among them.

    Those between lie at equal steps, of a random length and from a random start (after Yan et al. 2018, who favour
    starts near the ends), or are drawn at random.
    """
    between, within = size - 2, count - 2
    if sampling == "random":
        drawn = np.sort(rng.choice(within, between, replace=False))
    elif between:
        step = int(rng.integers(1, within // between, endpoint=True))
        start = int(rng.integers(0, within - (between - 1) * step))
        drawn = start + step * np.arange(between)
    else:
        drawn = np.arange(0)
    return np.concatenate([[0], 1 + drawn, [count - 1]]).astype(np.intp)


def stacks(
    counts: Sequence[int], *, volumes: int, size: int, sampling: Sampling, rng: np.random.Generator
) -> Iterator[tuple[int, Numbers]]:
    """Which slices of which volumes make a step; a volume comes twice only where there are fewer than are asked for.

    Args:
        counts: slices of every volume's region.
        volumes: K.
        size: P.
        sampling: of the slices between.
        rng: draws all.

    """
    rounds = -(-volumes // len(counts))
    order = np.concatenate([rng.permutation(len(counts)) for _ in range(rounds)])[:volumes]
    for volume in order.tolist():
        yield volume, stack(counts[volume], size, sampling=sampling, rng=rng)


def require_slices(counts: Mapping[str, int], size: int) -> None:
    """Refuse a case whose region is too short for a stack, and stacks that cannot have two ends.

    Raises:
        BadInput: with the case.
    """
    if size < 2:
        msg = f"regressor.slices = {size}: a stack has a first and a last slice; it must be 2 or more"
        raise BadInput(msg)
    for case, count in counts.items():
        if count < size:
            msg = (
                f"the abdominal region of {case} has {count} slices, fewer than the {size} of regressor.slices; lower "
                "that, or leave the case out"
            )
            raise BadInput(msg)


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
        scored = [regressor(part.to(runtime.device)).cpu() for part in parts]
    as_array: NDArray[np.float32] = torch.cat(scored).numpy()
    return as_array


class Regression(NetworkTraining[StageContext[SynthesisView]]):
    """The regressor in training, on the abdomens of both domains; `unseen` ones measure it.

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

    def batches(self, epoch: int) -> Iterator[StackBatch]:
        """An epoch's batches: K stacks of P slices for every step."""
        recipe, rng = self.recipe, self.rng(epoch)
        counts = [len(of) for of in self.training]
        for _ in range(recipe.steps(epoch)):
            drawn = stacks(counts, volumes=recipe.volumes, size=recipe.slices, sampling=recipe.stacks, rng=rng)
            cases = [(self.training[volume], numbers) for volume, numbers in drawn]
            x = torch.from_numpy(np.stack([of.images(numbers) for of, numbers in cases])).unsqueeze(2)
            bm = torch.from_numpy(np.stack([of.bodies(numbers) for of, numbers in cases])) > 0
            yield StackBatch(x, bm, len(x))

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Train for one epoch; the terms of Eq. 4 of every step."""
        self.begin_epoch(epoch)
        loss = partial(terms, self.regressor, lam=self.recipe.weights, runtime=self.context.runtime)
        yield from self.supervised(self.batches(epoch), loss)

    def validate(self) -> dict[str, float]:
        """How well scores order the slices of unseen cases: the mean of Spearman's correlations with their places."""
        self.regressor.eval()
        kept = [order_kept(scores(self.regressor, of.images(), self.context.runtime)) for of in self.unseen]
        return {"validation/spearman": fmean(kept)} if kept else {}


def order_kept(s: np.ndarray) -> float:
    """Spearman's correlation of the scores of a case's slices with their order; 0 where all scores are one."""
    from scipy.stats import spearmanr

    return float(spearmanr(s, np.arange(len(s))).statistic) if np.ptp(s) > 0 else 0.0


def train(recipe: RegressorRecipe, context: StageContext[SynthesisView]) -> Training:
    """Train to the last epoch, whose weights are kept as `weights.safetensors`, module "regressor"."""
    training = Regression(recipe, context)
    last = yield from training.fit(best="")
    save_tensors(context.directory / WEIGHTS, last.tensors)
    return Outcome(last.measured, {"started_from": training.started_from})
