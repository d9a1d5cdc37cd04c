"""CycleGAN's total loss under anatomical constraint."""

import torch
from jaxtyping import Float
from torch import Tensor

from medsearch.methods.ssbr_cyclegan.losses import acl
from medsearch.methods.ssbr_cyclegan.recipe import Weights
from medsearch.methods.ssbr_cyclegan.regressor import Regressor
from medsearch.networks.cyclegan import Cycled
from medsearch.training.cyclegan import CycleGAN
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime


def total(gan: CycleGAN, of: Cycled, lam: Weights, *, regressor: Regressor | None) -> dict[str, Tensor]:
    """The loss that generators minimise: CycleGAN's, and Eq. 5 where it has a weight."""
    terms = gan.g_terms(of, cyc=lam.cyc, idt=lam.idt)
    return {**terms, "acl": lam.acl * constraint(regressor, of, runtime=gan.runtime)} if lam.acl else terms


def constraint(regressor: Regressor | None, of: Cycled, *, runtime: Runtime) -> Float[Tensor, ""]:
    """Eq. 5 each way, through a frozen regressor in eval mode."""
    assert regressor is not None
    with autocast(runtime):
        with torch.no_grad():
            real = regressor(torch.cat([of.x_s, of.x_t]))
        fake = regressor(torch.cat([of.x_st, of.x_ts]))
    (s, t), (st, ts) = (scores.chunk(2) for scores in (real, fake))
    return acl(s, st) + acl(t, ts)
