"""One adversarial step: forward once, step D on detached fakes, then step G through the updated D.

With several micro-batches the graphs of all of them would not fit, which is why there are several: each is run
forward twice with equal random numbers, once for D and once for G, and gradients accumulate.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")
Out = TypeVar("Out")
Terms = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class AdversarialStep(Generic[Batch, Out]):
    """What is stepped.

    `d_terms(out)` and `g_terms(out)` return named loss terms, already weighted; each optimiser descends their sum.
    """

    forward: Callable[[Batch], Out]
    d_terms: Callable[[Out], Terms]
    g_terms: Callable[[Out], Terms]
    optimiser_d: torch.optim.Optimizer
    optimiser_g: torch.optim.Optimizer
    discriminators: Sequence[nn.Module]

    def __call__(self, micro_batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Step D, then G, on the micro-batches of one batch; return the mean of every term."""
        seeds = torch.randint(0, 2**31, (len(micro_batches),)).tolist()
        share = 1 / len(micro_batches)
        whole = self._run(micro_batches[0], seeds[0]) if len(micro_batches) == 1 else None
        terms: dict[str, Tensor] = {}
        self.optimiser_d.zero_grad(set_to_none=True)
        for batch, number in zip(micro_batches, seeds, strict=True):
            with torch.set_grad_enabled(whole is not None):
                out = self._run(batch, number) if whole is None else whole
            with torch.enable_grad():
                _descend(self.d_terms(out), share, terms)
        self.optimiser_d.step()
        self.optimiser_g.zero_grad(set_to_none=True)
        with _frozen(self.discriminators):
            for batch, number in zip(micro_batches, seeds, strict=True):
                _descend(self.g_terms(whole if whole is not None else self._run(batch, number)), share, terms)
        self.optimiser_g.step()
        return terms

    def _run(self, batch: Batch, number: int) -> Out:
        torch.manual_seed(number)
        return self.forward(batch)


def supervised_step(
    micro_batches: Sequence[Batch], loss: Callable[[Batch], Terms], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Step on the sum of `loss`'s terms, accumulated over the micro-batches of one batch."""
    terms: dict[str, Tensor] = {}
    optimiser.zero_grad(set_to_none=True)
    for batch in micro_batches:
        _descend(loss(batch), 1 / len(micro_batches), terms)
    optimiser.step()
    return terms


def micro_batches(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    """A batch's indices in pieces of `size`; one piece when `size` is 0."""
    size = size or max(1, len(indices))
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _descend(terms: Terms, share: float, sums: dict[str, Tensor]) -> None:
    total = torch.stack([term.float() for term in terms.values()]).sum() * share
    if total.requires_grad:
        total.backward()
    for name, term in terms.items():
        sums[name] = sums.get(name, torch.zeros((), device=term.device)) + term.detach() * share


@contextmanager
def _frozen(modules: Iterable[nn.Module]) -> Iterator[None]:
    parameters = [parameter for module in modules for parameter in module.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
