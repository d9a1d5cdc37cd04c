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
from medsearch.training.adversarial import AdversarialStep, Terms, discriminator_scores
from medsearch.training.optimisers import adam, set_rate
from medsearch.training.precision import autocast
from medsearch.training.prefetch import TensorBatch
from medsearch.training.recipes import CycleGANRecipe
from medsearch.training.runtime import Runtime


@dataclass(frozen=True)
class Unpaired(TensorBatch):
    """As many images of each domain, in [-1, 1]."""

    x_s: Float[Tensor, "b 1 h w"]
    x_t: Float[Tensor, "b 1 h w"]

    @staticmethod
    def of(x_s: Float[np.ndarray, "b h w"], x_t: Float[np.ndarray, "b h w"]) -> "Unpaired":
        """A batch of slices (b, h, w) of each domain, in [-1, 1]."""
        return Unpaired(torch.from_numpy(x_s).unsqueeze(1), torch.from_numpy(x_t).unsqueeze(1))


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
        """Translate a batch there and back, both ways, under the run's precision."""
        with autocast(self.runtime):
            out: Cycled = self.translators(batch.x_s, batch.x_t, identity=self.identity)
        return out

    def d_terms(self, of: Cycled) -> dict[str, Tensor]:
        """Real images, and fakes of now and of earlier, told apart."""
        d, pools = self.discriminators, self.pools
        return {
            "d_s": least_squares_d(*discriminator_scores(d.d_s, self.runtime, of.x_s, pools["s"](of.x_ts.detach()))),
            "d_t": least_squares_d(*discriminator_scores(d.d_t, self.runtime, of.x_t, pools["t"](of.x_st.detach()))),
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
        (fake_s,) = discriminator_scores(self.discriminators.d_s, self.runtime, of.x_ts)
        (fake_t,) = discriminator_scores(self.discriminators.d_t, self.runtime, of.x_st)
        return least_squares_g(fake_s) + least_squares_g(fake_t)


def cycle(of: Cycled) -> Float[Tensor, ""]:
    """L1 between images and what came back of them, each way."""
    return reconstruction((of.x_s, of.x_sts), (of.x_t, of.x_tst))


def unchanged(of: Cycled) -> Float[Tensor, ""]:
    """Identity: L1 between images and what the generator of their own domain makes of them."""
    assert of.x_ss is not None
    assert of.x_tt is not None
    return reconstruction((of.x_s, of.x_ss), (of.x_t, of.x_tt))


@final
class ImagePool(nn.Module):
    """The last so many generated images, more or less, and a generator of its own to draw among them.

    For discriminators to see (Shrivastava et al. 2017).

    Image by image: while there is room, the new one is stored and given back. Then, with probability 1/2, a stored one
    is given back and the new one takes its place; otherwise the new one passes. A pool of size 0 passes all.

    A module without weights: its state, the generator's included, goes into checkpoints and comes back bit for bit.
    """

    def __init__(self, size: int, *, shape: tuple[int, int, int], seed: int) -> None:
        super().__init__()
        self.images: Tensor
        self.register_buffer("images", torch.zeros(size, *shape))
        self._stored = 0
        self._generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def forward(self, new: Float[Tensor, "_ c h w"]) -> Float[Tensor, "_ c h w"]:
        """As many images as are given, of now and of earlier."""
        return torch.stack([self._exchanged(image) for image in new]) if len(self.images) else new

    def get_extra_state(self) -> Tensor:
        """How many images are stored, and where the generator stands, as bytes."""
        stored = torch.tensor([self._stored]).view(torch.uint8)
        return torch.cat([stored, self._generator.get_state()])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the count and the generator from the bytes of `get_extra_state`."""
        state = state.cpu()
        self._stored = int(state[:8].clone().view(torch.int64))
        self._generator.set_state(state[8:].clone())

    def _exchanged(self, new: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
        if self._stored < len(self.images):
            self.images[self._stored] = new
            self._stored += 1
            return new
        if not torch.rand((), generator=self._generator) > 0.5:
            return new
        place = int(torch.randint(len(self.images), (), generator=self._generator))
        old = self.images[place].clone()
        self.images[place] = new
        return old
