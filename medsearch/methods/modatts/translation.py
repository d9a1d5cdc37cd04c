"""Tumour-aware cross-modality translation: section 5.4.1, Eqs. 5.1-5.4.

It looks at slices of both contrasts to train on, and at diseased source slices to select by.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsearch.cohorts.patches import Slices, batches, cycled, domain_volumes
from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from medsearch.imaging.augmentation.slices import augment_slice
from medsearch.losses.weights import normalised
from medsearch.methods.modatts import losses
from medsearch.methods.modatts.networks.imagenet import load_imagenet
from medsearch.methods.modatts.recipe import TranslationRecipe
from medsearch.methods.modatts.translator import SliceBatch, Translated, Translator
from medsearch.metrics.overlap import MicroDice
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.stages.context import STATES, StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores, pieces
from medsearch.training.checkpoints import save_modules, save_tensors
from medsearch.training.fitting import AdversarialTraining
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast

LOG = logging.getLogger(__name__)


class Drawing:
    """Training slices of both contrasts; no mask of the target is asked for."""

    def __init__(self, recipe: TranslationRecipe, task: TaskView) -> None:
        self.recipe = recipe
        self.source = Slices(domain_volumes(task, "source", "train"))
        self.target = Slices(domain_volumes(task, "target", "train", masks=False))

    def batches(self, rng: np.random.Generator) -> Iterator[SliceBatch]:
        """One pass over the source slices, each batch beside as many random target slices."""
        order = list(batches(len(self.source), self.recipe.batch, rng))
        others = cycled(len(self.target), self.recipe.batch, len(order), rng)
        for source, target in zip(order, others, strict=True):
            yield self.load(source, target[: len(source)], rng)

    def load(self, source: Sequence[int], target: Sequence[int], rng: np.random.Generator) -> SliceBatch:
        """Cut and augment slices; keep the masks that Eq. 5.3 counts, and put their slices first."""
        pairs, others = [self.source[index] for index in source], [self.target[index] for index in target]
        if self.recipe.augment:
            pairs, others = ([augment_slice(*pair, rng) for pair in part] for part in (pairs, others))
        empty = self.recipe.empty_slices
        counted = [(x, y) for x, y in pairs if y is not None and (empty or y.any())]
        x_rest = [x for x, y in pairs if y is None or not (empty or y.any())]
        x_s = _tensor([x for x, _ in counted] + x_rest)
        y_s = _tensor([y for _, y in counted]) if counted else x_s[:0]
        return SliceBatch(x_s, _tensor([x for x, _ in others]), y_s)


def _tensor(arrays: Sequence[NDArray[Any]]) -> Tensor:
    """N slices (H, W) as one batch (n, 1, H, W)."""
    return torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32))


class TranslationTraining(AdversarialTraining[StageContext]):
    """The translator against a discriminator of each contrast, validated on the source's slices with tumour.

    Raises:
        BadInput: there is no such slice; or the file of the encoders' first weights cannot be read, or does not fit.

    """

    def __init__(self, recipe: TranslationRecipe, context: StageContext) -> None:
        super().__init__(recipe, context, "translation")
        self.weights = normalised(vars(recipe.weights))
        self.translator = Translator(recipe)
        judges = replace(recipe.discriminator, dimensions=2)
        self.d_s, self.d_t = MultiScaleDiscriminator(judges), MultiScaleDiscriminator(judges)
        self.encoders_from = start_encoders(self.translator, recipe.imagenet)
        self.modules = {"translator": self.translator, "d_s": self.d_s, "d_t": self.d_t}
        self.judges = (self.d_s, self.d_t)
        for module in self.modules.values():
            module.to(self.device)
        self.optimisers = {
            "g": amsgrad([self.translator], recipe.optimiser),
            "d": amsgrad(self.judges, recipe.optimiser),
        }
        self.drawing = Drawing(recipe, context.task)
        self.validation = Slices(domain_volumes(context.task, "source", "validation"))
        masks = [self.validation.mask(index) for index in range(len(self.validation))]
        self.diseased = [index for index, mask in enumerate(masks) if mask is not None and mask.any()]
        if not self.diseased:
            msg = "no validation slice of the source holds a tumour to select by; add cases or change task.split_seed"
            raise BadInput(msg)

    def forward(self, batch: SliceBatch) -> tuple[SliceBatch, Translated]:
        """Both cycles and, unless λ_seg is 0, the two segmentations of the source."""
        with autocast(self.context.runtime):
            return batch, self.translator(batch.x_s, batch.x_t, segmenting=self.weights["seg"] > 0)

    def d_terms(self, of: tuple[SliceBatch, Translated]) -> dict[str, Tensor]:
        """Eq. 5.1 for D_S and D_T, scaled by the generator's weight as released."""
        (batch, out), lam, runtime = of, self.weights["adv"], self.context.runtime
        real_s, fake_s = discriminator_scores(self.d_s, runtime, batch.x_s, out.x_ts.detach())
        real_t, fake_t = discriminator_scores(self.d_t, runtime, batch.x_t, out.x_st.detach())
        return {
            "d_s": lam * losses.adversarial_d(real_s, fake_s),
            "d_t": lam * losses.adversarial_d(real_t, fake_t),
        }

    def g_terms(self, of: tuple[SliceBatch, Translated]) -> dict[str, Tensor]:
        """Eq. 5.4, one term a line; Eq. 5.3 is of the annotated slices, and 0 where nothing was segmented."""
        (batch, out), lam = of, self.weights
        (fake_s,) = discriminator_scores(self.d_s, self.context.runtime, out.x_ts)
        (fake_t,) = discriminator_scores(self.d_t, self.context.runtime, out.x_st)
        found = out.x_st.new_zeros(())
        if out.y_hat_s is not None and out.y_hat_st is not None:
            known = slice(len(batch.y_s))
            found = losses.tumour_aware(batch.y_s, out.y_hat_s[known], y_hat_st=out.y_hat_st[known])
        return {
            "seg": lam["seg"] * batch.emphasis * found,
            "adv": lam["adv"] * (losses.adversarial_g(fake_s) + losses.adversarial_g(fake_t)),
            "cyc": lam["cyc"] * losses.cycle(batch.x_s, out.x_sts, x_t=batch.x_t, x_tst=out.x_tst),
        }

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """The loss terms of every step of an epoch, counted from 1: one pass over the source slices."""
        self.begin_epoch(epoch)
        yield from self.adversarial(self.drawing.batches(self.rng(epoch)))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Eq. 5.3 on validation slices with tumour; source labels only."""
        self.translator.eval()
        soft, hard = (MicroDice(), MicroDice()), (MicroDice(), MicroDice())
        for part in pieces(len(self.diseased), self.context.runtime.at_once(self.recipe.batch)):
            pairs = [self.validation[index] for index in self.diseased[part]]
            x_s = _tensor([x for x, _ in pairs]).to(self.device)
            y_s = _tensor([y for _, y in pairs if y is not None]).to(self.device)
            with autocast(self.context.runtime):
                outputs = self.translator.segment(x_s)
            for y_hat, running, cut in zip(outputs, soft, hard, strict=True):
                running.count(*losses.overlap(y_s, y_hat))
                cut.count(*losses.overlap(y_s, (y_hat > 0.5).float()))
        return {
            "validation/loss": -sum(running.value for running in soft),
            "validation/dice": hard[0].value,
            "validation/dice_translated": hard[1].value,
        }


def train(recipe: TranslationRecipe, context: StageContext) -> Training:
    """Train; hand on the last state (the paper's choice) and the best one (the released code's)."""
    training = TranslationTraining(recipe, context)
    best = yield from training.fit(best="validation/loss", better=min, keep=("translator",))
    save_modules(context.directory / STATES["last"], {"translator": training.translator})
    save_tensors(context.directory / STATES["best"], best.tensors)
    return Outcome(training.validate(), {"best_epoch": best.epoch, "encoders_from": training.encoders_from})


def start_encoders(translator: Translator, imagenet: str) -> str:
    """Load ImageNet weights into both encoders, if a path is given; return where their weights are from.

    Raises:
        BadInput: the file cannot be read, or does not fit.

    """
    if not imagenet:
        LOG.warning("encoders start from random weights; knob translation.imagenet takes the path of R50+ViT-B_16.npz")
        return "random (no ImageNet weights given)"
    for encoder in (translator.encode_s, translator.encode_t):
        load_imagenet(encoder, Path(imagenet))
    return imagenet
