"""CycleGAN's total loss under anatomical constraint."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from medsearch.methods.ssbr_cyclegan.losses import acl
from medsearch.methods.ssbr_cyclegan.recipe import Weights
from medsearch.methods.ssbr_cyclegan.regressor import Regressor
from medsearch.networks.cyclegan import Cycled
from medsearch.training.cyclegan import CycleGAN, cycle, unchanged
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime


def total(gan: CycleGAN, of: Cycled, lam: Weights, *, regressor: Regressor | None) -> dict[str, Tensor]:
    """The loss that generators minimise, one term a line; what has no weight is left out."""
    terms: dict[str, tuple[float, Callable[[Cycled], Tensor]]] = {
        "adv": (1.0, gan.adversarial),
        "cyc": (lam.cyc, cycle),
        "idt": (lam.cyc * lam.idt, unchanged),
        "acl": (lam.acl, partial(constraint, regressor, runtime=gan.runtime)),
    }
    return {name: weight * term(of) for name, (weight, term) in terms.items() if weight}


def constraint(regressor: Regressor | None, of: Cycled, *, runtime: Runtime) -> Float[Tensor, ""]:
    """Eq. 5 each way, through a frozen regressor in eval mode."""
    assert regressor is not None
    with autocast(runtime):
        with torch.no_grad():
            real = regressor(torch.cat([of.x_s, of.x_t]))
        fake = regressor(torch.cat([of.x_st, of.x_ts]))
    (s, t), (st, ts) = (scores.chunk(2) for scores in (real, fake))
    return acl(s, st) + acl(t, ts)
