"""A CycleGAN in training (Zhu et al. 2017): generators first, then discriminators on pools of fakes.

A stage draws unpaired batches, writes down its total loss with the terms here, and steps:

    gan = CycleGAN(recipe, root=..., size=(128, 128), runtime=...)
    gan.begin(epoch)
    step = gan.step(lambda of: {**gan.g_terms(of, cyc=10, idt=0.5), "acl": ...})
    yield from map(step, micro_batches(batches, runtime))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.seeds import seed
from medsearch.losses.adversarial import least_squares_d, least_squares_g
from medsearch.losses.reconstruction import reconstruction
from medsearch.networks.cyclegan import Cycled, Discriminators, Translators
from medsearch.training.adversarial import AdversarialStep, Terms
from medsearch.training.cyclegan_recipe import CycleGANRecipe
from medsearch.training.image_pool import ImagePool
from medsearch.training.judging import judged
from medsearch.training.optimisers import adam, set_rate
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime


@dataclass(frozen=True)
class Unpaired:
    """As many images of each domain, in [-1, 1]."""

    x_s: Float[Tensor, "b 1 h w"]
    x_t: Float[Tensor, "b 1 h w"]

    @staticmethod
    def of(x_s: Float[np.ndarray, "b h w"], x_t: Float[np.ndarray, "b h w"]) -> "Unpaired":
        """From slices."""
        return Unpaired(torch.from_numpy(x_s).unsqueeze(1), torch.from_numpy(x_t).unsqueeze(1))

    def __len__(self) -> int:
        return len(self.x_s)

    def __getitem__(self, part: slice) -> "Unpaired":
        """Some of both."""
        return Unpaired(self.x_s[part], self.x_t[part])

    def to(self, device: str) -> "Unpaired":
        """On another device."""
        return Unpaired(self.x_s.to(device), self.x_t.to(device))


@final
class CycleGAN:
    """Networks, one Adam for both generators and one for both discriminators, and a pool of fakes for each domain.

    Weights and pools draw from streams of `root`; images are `size` (h, w). Without `identity`, generators are not run
    on what they should leave as it is.
    """

    def __init__(
        self, recipe: CycleGANRecipe, *, root: int, size: tuple[int, int], runtime: Runtime, identity: bool = True
    ) -> None:
        torch.manual_seed(seed(root, "initialisation"))
        self.recipe, self.runtime, self.identity = recipe, runtime, identity
        self.translators = Translators(recipe.generator, input_addition=recipe.input_addition).to(runtime.device)
        self.discriminators = Discriminators(recipe.discriminator).to(runtime.device)
        self.pools = nn.ModuleDict(
            {domain: ImagePool(recipe.pool, shape=(1, *size), seed=seed(root, "pool", domain)) for domain in "st"}
        ).to(runtime.device)
        self.optimisers = {
            "g": adam([self.translators], recipe.optimiser, amsgrad=False),
            "d": adam([self.discriminators], recipe.optimiser, amsgrad=False),
        }

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds; of these, inference needs the translators."""
        return {"translators": self.translators, "discriminators": self.discriminators, "pools": self.pools}

    def begin(self, epoch: int) -> None:
        """Set the mode, and the learning rate of an epoch counted from 1."""
        set_rate(self.optimisers.values(), self.recipe.rate(epoch))
        for module in self.modules.values():
            module.train()

    def step(self, g_terms: Callable[[Cycled], Terms]) -> AdversarialStep[Unpaired, Cycled]:
        """A step of the generators on a stage's total loss, then of the discriminators."""
        return AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            generators=(self.translators,),
            discriminators=(self.discriminators,),
            first="g",
        )

    def forward(self, batch: Unpaired) -> Cycled:
        """Both cycles."""
        with autocast(self.runtime):
            out: Cycled = self.translators(batch.x_s, batch.x_t, identity=self.identity)
        return out

    def d_terms(self, of: Cycled) -> dict[str, Tensor]:
        """Real images, and fakes of now and of earlier, told apart."""
        d, pools = self.discriminators, self.pools
        return {
            "d_s": least_squares_d(*judged(d.d_s, self.runtime, of.x_s, pools["s"](of.x_ts.detach()))),
            "d_t": least_squares_d(*judged(d.d_t, self.runtime, of.x_t, pools["t"](of.x_st.detach()))),
        }

    def g_terms(self, of: Cycled, *, cyc: float, idt: float) -> dict[str, Tensor]:
        """The total loss of a plain CycleGAN, one term a line; what has no weight is left out.

        cyc: λ of the cycle, each way. idt: λ of the identity, as a share of `cyc`.
        """
        terms: dict[str, tuple[float, Callable[[Cycled], Tensor]]] = {
            "adv": (1.0, self.adversarial),
            "cyc": (cyc, cycle),
            "idt": (cyc * idt, unchanged),
        }
        return {name: weight * term(of) for name, (weight, term) in terms.items() if weight}

    def adversarial(self, of: Cycled) -> Float[Tensor, ""]:
        """How far fakes of either domain are from passing as real ones."""
        (fake_s,) = judged(self.discriminators.d_s, self.runtime, of.x_ts)
        (fake_t,) = judged(self.discriminators.d_t, self.runtime, of.x_st)
        return least_squares_g(fake_s) + least_squares_g(fake_t)


def cycle(of: Cycled) -> Float[Tensor, ""]:
    """L1 between images and what came back of them, each way."""
    return reconstruction((of.x_s, of.x_sts), (of.x_t, of.x_tst))


def unchanged(of: Cycled) -> Float[Tensor, ""]:
    """Identity: L1 between images and what the generator of their own domain makes of them."""
    assert of.x_ss is not None
    assert of.x_tt is not None
    return reconstruction((of.x_s, of.x_ss), (of.x_t, of.x_tt))
