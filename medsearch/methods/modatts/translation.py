"""Tumour-aware cross-modality translation: section 5.4.1, Eqs. 5.1-5.4."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.data.augmentation.slices import augment_slice
from medsearch.data.units import Slices, batches, cycled
from medsearch.methods.modatts import losses
from medsearch.methods.modatts.data import domain_source
from medsearch.methods.modatts.networks.discriminator import MultiScaleDiscriminator
from medsearch.methods.modatts.networks.transunet import CupDecoder, TransUNetEncoder
from medsearch.methods.modatts.recipe import TranslationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import AdversarialStep, micro_batches
from medsearch.training.checkpoints import save_modules, save_tensors
from medsearch.training.loop import Loop, run
from medsearch.training.optimisers import amsgrad
from medsearch.training.precision import autocast, prepare_torch

Slice = Float[Tensor, "batch 1 height width"]


class Translator(nn.Module):
    """Encoders E_S, E_T; translation decoders G_S, G_T; segmentation decoders G_seg^S, G_seg^T (Fig. 5.2)."""

    def __init__(self, recipe: TranslationRecipe) -> None:
        super().__init__()
        self.encode_s = TransUNetEncoder(recipe.network)
        self.encode_t = TransUNetEncoder(recipe.network)
        self.to_s = CupDecoder(recipe.network, "image")
        self.to_t = CupDecoder(recipe.network, "image")
        self.segment_s = CupDecoder(recipe.network, "mask")
        self.segment_t = CupDecoder(recipe.network, "mask")

    def translate(self, x_s: Slice) -> Slice:
        """X_S' = G_T ∘ E_S(X_S)."""
        return self.to_t(self.encode_s(x_s))


@dataclass(frozen=True)
class SliceBatch:
    """Slices of both contrasts; `y_s` is where a mask is known and tumour-bearing, at the indices `annotated`."""

    x_s: Slice
    x_t: Slice
    y_s: Slice
    annotated: Tensor


@dataclass(frozen=True)
class Translated:
    """One forward pass: x_st is X_S', x_sts is X_S'', x_ts is X_T', x_tst is X_T''."""

    batch: SliceBatch
    x_st: Slice
    x_sts: Slice
    x_ts: Slice
    x_tst: Slice
    y_hat_s: Slice
    y_hat_st: Slice


class TranslationTraining:
    """Everything that the translation stage holds while it trains."""

    def __init__(self, recipe: TranslationRecipe, context: StageContext) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, "translation", "initialisation"))
        self.recipe, self.context, self.device = recipe, context, torch.device(context.runtime.device)
        self.weights = losses.normalised(vars(recipe.weights))
        self.translator = Translator(recipe)
        if recipe.imagenet:
            load_imagenet(self.translator.encode_s, recipe.imagenet)
            load_imagenet(self.translator.encode_t, recipe.imagenet)
        self.d_s = MultiScaleDiscriminator(recipe.discriminator)
        self.d_t = MultiScaleDiscriminator(recipe.discriminator)
        for module in self.modules.values():
            module.to(self.device)
        self.optimisers = {
            "g": amsgrad([self.translator], recipe.optimiser),
            "d": amsgrad([self.d_s, self.d_t], recipe.optimiser),
        }
        self.source = Slices(domain_source(context.task, "source", "train"))
        self.target = Slices(domain_source(context.task, "target", "train", masks=False))
        self.validation = Slices(domain_source(context.task, "source", "validation"))

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Every network by name."""
        return {"translator": self.translator, "d_s": self.d_s, "d_t": self.d_t}

    def forward(self, batch: SliceBatch) -> Translated:
        """Both cycles and the two segmentations of the source."""
        net = self.translator
        with autocast(self.context.runtime):
            f_s, f_t = net.encode_s(batch.x_s), net.encode_t(batch.x_t)
            x_st, x_ts = net.to_t(f_s), net.to_s(f_t)
            f_st, f_ts = net.encode_t(x_st), net.encode_s(x_ts)
            x_sts, x_tst = net.to_s(f_st), net.to_t(f_ts)
            y_hat_s, y_hat_st = net.segment_s(f_s), net.segment_t(f_st)
        return Translated(batch, *(x.float() for x in (x_st, x_sts, x_ts, x_tst, y_hat_s, y_hat_st)))

    def d_terms(self, out: Translated) -> dict[str, Tensor]:
        """Eq. 5.1 for D_S and D_T, scaled by the generator's weight as released."""
        lam = self.weights["adv"]
        with autocast(self.context.runtime):
            real_s, fake_s = self.d_s(out.batch.x_s), self.d_s(out.x_ts.detach())
            real_t, fake_t = self.d_t(out.batch.x_t), self.d_t(out.x_st.detach())
        return {
            "d_s": lam * losses.adversarial_d(real_s, fake_s),
            "d_t": lam * losses.adversarial_d(real_t, fake_t),
        }

    def g_terms(self, out: Translated) -> dict[str, Tensor]:
        """Eq. 5.4, one term a line."""
        lam, batch, known = self.weights, out.batch, out.batch.annotated
        with autocast(self.context.runtime):
            adversarial = losses.adversarial_g(self.d_s(out.x_ts)) + losses.adversarial_g(self.d_t(out.x_st))
        return {
            "seg": lam["seg"] * losses.tumour_aware(batch.y_s, out.y_hat_s[known], out.y_hat_st[known]),
            "adv": lam["adv"] * adversarial,
            "cyc": lam["cyc"] * losses.cycle(batch.x_s, out.x_sts, batch.x_t, out.x_tst),
        }

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One pass over the source slices, each batch beside as many random target slices."""
        for module in self.modules.values():
            module.train()
        step = AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            discriminators=(self.d_s, self.d_t),
        )
        rng = generator(self.context.seed, "translation", "epoch", epoch)
        order = list(batches(len(self.source), self.recipe.batch, rng))
        others = cycled(len(self.target), self.recipe.batch, len(order), rng)
        for source, target in zip(order, others, strict=True):
            pieces = zip(
                micro_batches(source, self.context.runtime.micro_batch),
                micro_batches(target[: len(source)], self.context.runtime.micro_batch),
                strict=True,
            )
            yield step([self.load(s, t, rng) for s, t in pieces])

    def load(self, source: Sequence[int], target: Sequence[int], rng: np.random.Generator) -> SliceBatch:
        """Cut and augment slices; keep the masks that Eq. 5.3 counts."""
        loaded = [self._augmented(self.source, index, rng) for index in source]
        x_t = np.stack([self._augmented(self.target, index, rng)[0] for index in target])
        counted = [
            i for i, (_, mask) in enumerate(loaded) if mask is not None and (self.recipe.empty_slices or mask.any())
        ]
        masks = [np.asarray(loaded[i][1]) for i in counted]
        y_s = np.stack(masks) if masks else np.zeros((0, *x_t.shape[1:]))
        return SliceBatch(
            self._tensor(np.stack([image for image, _ in loaded])),
            self._tensor(x_t),
            self._tensor(y_s),
            torch.tensor(counted, dtype=torch.long, device=self.device),
        )

    def _augmented(
        self, slices: Slices, index: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        image, mask = slices[index]
        return augment_slice(image, mask, rng) if self.recipe.augment else (image, mask)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).unsqueeze(1).to(self.device)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Eq. 5.3 on validation slices with tumour; source labels only."""
        self.translator.eval()
        loaded = [self.validation[index] for index in range(len(self.validation))]
        diseased = [(image, mask) for image, mask in loaded if mask is not None and mask.any()]
        predictions: list[tuple[Tensor, Tensor, Tensor]] = []
        for start in range(0, len(diseased), self.recipe.batch):
            piece = diseased[start : start + self.recipe.batch]
            x_s = self._tensor(np.stack([image for image, _ in piece]))
            f_s = self.translator.encode_s(x_s)
            f_st = self.translator.encode_t(self.translator.to_t(f_s))
            y_s = self._tensor(np.stack([mask for _, mask in piece]))
            predictions.append((y_s, self.translator.segment_s(f_s), self.translator.segment_t(f_st)))
        y_s, y_hat_s, y_hat_st = (torch.cat(column) for column in zip(*predictions, strict=True))
        return {
            "validation/loss": float(losses.tumour_aware(y_s, y_hat_s, y_hat_st)),
            "validation/dice": -float(losses.dice(y_s, (y_hat_s > 0.5).float())),
            "validation/dice_translated": -float(losses.dice(y_s, (y_hat_st > 0.5).float())),
        }


def train(recipe: TranslationRecipe, context: StageContext) -> Training:
    """Train; hand on the last state (the paper's choice) and the best one (the released code's)."""
    training = TranslationTraining(recipe, context)
    loop = Loop(
        modules=training.modules,
        optimisers=training.optimisers,
        steps=training.steps,
        validate=training.validate,
        epochs=recipe.epochs,
        validate_every=recipe.validate_every,
        best="validation/loss",
        better=min,
        keep=("translator",),
    )
    best = yield from run(loop, root=seed(context.seed, "translation"), checkpoint=context.checkpoint)
    save_modules(context.directory / "weights.safetensors", {"translator": training.translator})
    save_tensors(context.directory / "best.safetensors", best.tensors)
    initial = recipe.imagenet or "random (no ImageNet weights given)"
    return Outcome(training.validate(), {"best_epoch": best.epoch, "encoders_from": initial})
