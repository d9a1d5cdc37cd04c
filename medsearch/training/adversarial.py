"""One adversarial step: forward once, step D on detached fakes, then step G through the updated D; or G, then D.

With several micro-batches the graphs of all of them would not fit, which is why there are several: each is run
forward twice with equal random numbers, once for D and once for G, and gradients accumulate, weighted by their shares
of the batch. Terms that are means over samples are then those of the whole batch; a batch-wise Dice is a mean of the
micro-batches' own. Where G comes first, its backward passes have freed the graphs by the time that D looks, at what
G made before its step; nothing is run twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from medsearch.losses.adversarial import Scales
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

Batch = TypeVar("Batch", bound=Sized)
Out = TypeVar("Out")
Terms = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class AdversarialStep(Generic[Batch, Out]):
    """What is stepped.

    `d_terms(out)` and `g_terms(out)` return named loss terms, already weighted; each optimiser descends their sum.
    `forward` must not run the discriminators. `first` is who steps first: G in CycleGAN.
    """

    forward: Callable[[Batch], Out]
    d_terms: Callable[[Out], Terms]
    g_terms: Callable[[Out], Terms]
    optimiser_d: torch.optim.Optimizer
    optimiser_g: torch.optim.Optimizer
    generators: Sequence[nn.Module]
    discriminators: Sequence[nn.Module]
    first: Literal["d", "g"] = "d"

    def __call__(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Step both on the micro-batches of one batch; return the mean of every term."""
        seeds: list[int] = torch.randint(0, 2**31, (len(batches),)).tolist()
        shares, terms = _shares(batches), dict[str, Tensor]()
        outs = map(self._run, batches, seeds)  # when they are asked for, one after the other
        if self.first == "d" and len(batches) > 1:
            self._step_d(map(self._rehearsed, batches, seeds), shares, terms)
            self._step_g(outs, shares, terms)
            return terms
        steps = (self._step_d, self._step_g) if self.first == "d" else (self._step_g, self._step_d)
        for step, same in zip(steps, tee(outs), strict=True):
            step(same, shares, terms)
        return terms

    def _step_d(self, outs: Iterable[Out], shares: Sequence[float], terms: dict[str, Tensor]) -> None:
        self.optimiser_d.zero_grad(set_to_none=True)
        for out, share in zip(outs, shares, strict=True):
            _descend(self.d_terms(out), share, terms)
        self.optimiser_d.step()

    def _step_g(self, outs: Iterable[Out], shares: Sequence[float], terms: dict[str, Tensor]) -> None:
        self.optimiser_g.zero_grad(set_to_none=True)
        with _frozen(self.discriminators):
            for out, share in zip(outs, shares, strict=True):
                _descend(self.g_terms(out), share, terms)
        self.optimiser_g.step()

    def _run(self, batch: Batch, number: int) -> Out:
        torch.manual_seed(number)
        return self.forward(batch)

    def _rehearsed(self, batch: Batch, number: int) -> Out:
        """The output without its graph; running statistics move in the other pass."""
        with torch.no_grad(), _untracked(self.generators):
            return self._run(batch, number)


def discriminator_scores(
    discriminator: Callable[[Tensor], Sequence[Tensor]], runtime: Runtime, *images: Tensor
) -> list[Scales]:
    """The fp32 scores of each batch of images, in one pass: discriminators normalise every sample by itself."""
    with autocast(runtime):
        scores = discriminator(torch.cat(images))
    parts = [torch.split(scale.float(), [len(batch) for batch in images]) for scale in scores]
    return [list(scales) for scales in zip(*parts, strict=True)]


def supervised_step(
    batches: Sequence[Batch], loss: Callable[[Batch], Terms], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Step on the sum of `loss`'s terms, accumulated over the micro-batches of one batch."""
    terms: dict[str, Tensor] = {}
    optimiser.zero_grad(set_to_none=True)
    for batch, share in zip(batches, _shares(batches), strict=True):
        _descend(loss(batch), share, terms)
    optimiser.step()
    return terms


def pieces(count: int, size: int) -> list[slice]:
    """Micro-batches of `size` samples out of `count`; one of all when `size` is 0."""
    size = size or max(1, count)
    return [slice(start, start + size) for start in range(0, count, size)]


def emphasis(part: int, whole: int, *, share: float) -> float:
    """What makes a micro-batch that has `share` of the samples weigh as its `part` of the `whole` annotated ones."""
    return part / whole / share if whole else 1.0


def _shares(batches: Sequence[Sized]) -> list[float]:
    total = sum(len(batch) for batch in batches)
    return [len(batch) / total for batch in batches]


def _descend(terms: Terms, share: float, sums: dict[str, Tensor]) -> None:
    if not terms:  # nothing is judged
        return
    total = torch.stack([term.float() for term in terms.values()]).sum() * share
    if total.requires_grad:
        torch.autograd.backward(total)
    for name, term in terms.items():
        sums[name] = sums.get(name, torch.zeros((), device=term.device)) + term.detach() * share


@contextmanager
def _frozen(modules: Iterable[nn.Module]) -> Iterator[None]:
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def _untracked(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Neither running statistics nor estimates of spectra move."""
    spectra = [part for module in modules for part in module.modules() if isinstance(part, ParametrizationList)]
    norms = [
        part
        for module in modules
        for part in module.modules()
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and part.track_running_stats
    ]
    training = [(part, part.training) for part in spectra]
    for norm in norms:
        norm.track_running_stats = False
    for part in spectra:
        part.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        for part, was in training:
            part.train(was)
