"""Tumour-aware cross-modality translation: section 5.4.1, Eqs. 5.1-5.4.

It looks at slices of both contrasts to train on, and at diseased source slices to select by.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsearch.cohorts.patches import Image, Mask, Slices, batches, cycled, domain_source
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
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import discriminator_scores, pieces
from medsearch.training.checkpoints import save_modules, save_tensors
from medsearch.training.fitting import AdversarialTraining
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast


class Drawing:
    """Training slices; no mask of the target is asked for."""

    def __init__(self, recipe: TranslationRecipe, task: TaskView) -> None:
        self.recipe = recipe
        self.source = Slices(domain_source(task, "source", "train"))
        self.target = Slices(domain_source(task, "target", "train", masks=False))

    def batches(self, rng: np.random.Generator) -> Iterator[SliceBatch]:
        """One pass over the source slices, each batch beside as many random target slices."""
        order = list(batches(len(self.source), self.recipe.batch, rng))
        others = cycled(len(self.target), self.recipe.batch, len(order), rng)
        for source, target in zip(order, others, strict=True):
            yield self.load(source, target[: len(source)], rng)

    def load(self, source: Sequence[int], target: Sequence[int], rng: np.random.Generator) -> SliceBatch:
        """Cut and augment slices; keep the masks that Eq. 5.3 counts, and put their slices first."""
        loaded = [self._augmented(self.source[index], rng) for index in source]
        loaded.sort(key=lambda one: not self._counts(one[1]))
        y_s = [y for _, y in loaded if y is not None and self._counts(y)]
        x_s = _tensor([x for x, _ in loaded])
        x_t = _tensor([self._augmented(self.target[index], rng)[0] for index in target])
        return SliceBatch(x_s, x_t, _tensor(y_s) if y_s else x_s[:0])

    def _counts(self, mask: Mask | None) -> bool:
        return mask is not None and (self.recipe.empty_slices or bool(mask.any()))

    def _augmented(self, one: tuple[Image, Mask | None], rng: np.random.Generator) -> tuple[Image, Mask | None]:
        return augment_slice(*one, rng) if self.recipe.augment else one


class Diseased:
    """The source's validation slices with tumour.

    Raises:
        BadInput: there is none.

    """

    def __init__(self, task: TaskView) -> None:
        self.slices = Slices(domain_source(task, "source", "validation"))
        masks = ((index, self.slices.mask(index)) for index in range(len(self.slices)))
        self.indices = [index for index, mask in masks if mask is not None and mask.any()]
        if not self.indices:
            msg = "no validation slice of the source holds a tumour to select by; add cases or change task.split_seed"
            raise BadInput(msg)

    def __len__(self) -> int:
        return len(self.indices)

    def load(self, part: slice) -> tuple[Tensor, Tensor]:
        """Some slices and their masks."""
        pairs = [self.slices[index] for index in self.indices[part]]
        return _tensor([x for x, _ in pairs]), _tensor([y for _, y in pairs if y is not None])


def _tensor(arrays: Sequence[NDArray[Any]]) -> Tensor:
    """(n, 1, H, W)."""
    return torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32))


LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pass:
    """A batch and what came of it."""

    batch: SliceBatch
    out: Translated


class TranslationTraining(AdversarialTraining[StageContext]):
    """Everything that the translation stage holds while it trains."""

    def __init__(self, recipe: TranslationRecipe, context: StageContext) -> None:
        super().__init__(recipe, context, "translation")
        self.weights = normalised(vars(recipe.weights))
        self.translator = Translator(recipe)
        judges = replace(recipe.discriminator, dimensions=2)
        self.d_s, self.d_t = MultiScaleDiscriminator(judges), MultiScaleDiscriminator(judges)
        self.encoders_from = _start_encoders(self.translator, recipe.imagenet)
        self.modules = {"translator": self.translator, "d_s": self.d_s, "d_t": self.d_t}
        self.judges = (self.d_s, self.d_t)
        for module in self.modules.values():
            module.to(self.device)
        self.optimisers = {
            "g": amsgrad([self.translator], recipe.optimiser),
            "d": amsgrad(self.judges, recipe.optimiser),
        }
        self.drawing = Drawing(recipe, context.task)
        self.validation = Diseased(context.task)

    def forward(self, batch: SliceBatch) -> Pass:
        """Both cycles and, unless λ_seg is 0, the two segmentations of the source."""
        with autocast(self.context.runtime):
            return Pass(batch, self.translator(batch.x_s, batch.x_t, segmenting=self.weights["seg"] > 0))

    def d_terms(self, of: Pass) -> dict[str, Tensor]:
        """Eq. 5.1 for D_S and D_T, scaled by the generator's weight as released."""
        lam, runtime = self.weights["adv"], self.context.runtime
        real_s, fake_s = discriminator_scores(self.d_s, runtime, of.batch.x_s, of.out.x_ts.detach())
        real_t, fake_t = discriminator_scores(self.d_t, runtime, of.batch.x_t, of.out.x_st.detach())
        return {
            "d_s": lam * losses.adversarial_d(real_s, fake_s),
            "d_t": lam * losses.adversarial_d(real_t, fake_t),
        }

    def g_terms(self, of: Pass) -> dict[str, Tensor]:
        """Eq. 5.4, one term a line."""
        lam, batch, out = self.weights, of.batch, of.out
        (fake_s,) = discriminator_scores(self.d_s, self.context.runtime, out.x_ts)
        (fake_t,) = discriminator_scores(self.d_t, self.context.runtime, out.x_st)
        return {
            "seg": lam["seg"] * batch.emphasis * _tumour_aware(batch, out),
            "adv": lam["adv"] * (losses.adversarial_g(fake_s) + losses.adversarial_g(fake_t)),
            "cyc": lam["cyc"] * losses.cycle(batch.x_s, out.x_sts, x_t=batch.x_t, x_tst=out.x_tst),
        }

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One pass over the source slices, each batch beside as many random target slices."""
        self.begin_epoch(epoch)
        yield from self.adversarial(self.drawing.batches(self.rng(epoch)))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Eq. 5.3 on validation slices with tumour; source labels only."""
        self.translator.eval()
        soft, hard = (MicroDice(), MicroDice()), (MicroDice(), MicroDice())
        for part in pieces(len(self.validation), self.context.runtime.at_once(self.recipe.batch)):
            x_s, y_s = (tensor.to(self.device) for tensor in self.validation.load(part))
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


def _tumour_aware(batch: SliceBatch, out: Translated) -> Tensor:
    """Eq. 5.3 of the annotated slices; 0 where nothing was segmented."""
    if out.y_hat_s is None or out.y_hat_st is None:
        return out.x_st.new_zeros(())
    known = slice(len(batch.y_s))
    return losses.tumour_aware(batch.y_s, out.y_hat_s[known], y_hat_st=out.y_hat_st[known])


def train(recipe: TranslationRecipe, context: StageContext) -> Training:
    """Train; hand on the last state (the paper's choice) and the best one (the released code's)."""
    training = TranslationTraining(recipe, context)
    best = yield from training.fit(best="validation/loss", better=min, keep=("translator",))
    save_modules(context.directory / "weights.safetensors", {"translator": training.translator})
    save_tensors(context.directory / "best.safetensors", best.tensors)
    return Outcome(training.validate(), {"best_epoch": best.epoch, "encoders_from": training.encoders_from})


def _start_encoders(translator: Translator, imagenet: str) -> str:
    """Load ImageNet weights into both encoders; say where these start from."""
    if not imagenet:
        LOG.warning("encoders start from random weights; knob translation.imagenet takes the path of R50+ViT-B_16.npz")
        return "random (no ImageNet weights given)"
    for encoder in (translator.encode_s, translator.encode_t):
        load_imagenet(encoder, Path(imagenet))
    return imagenet
