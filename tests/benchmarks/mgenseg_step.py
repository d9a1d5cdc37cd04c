"""Where a training step of M-GenSeg goes, term by term: `python -m tests.benchmarks.mgenseg_step`.

Each part is timed forward and backward in the same process, by the clock and by the processor; a term's own cost is
what the step loses when its weight is 0, so that passes which it shares with others are not counted. Beside them stands
the step as the released code takes it: spectra estimated anew in every pass.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from rich import print

from medsearch.cohorts.views import Domain
from medsearch.core.recipes import override
from medsearch.methods.mgenseg import MGENSEG, training
from medsearch.methods.mgenseg.batches import Batch, Side
from medsearch.methods.mgenseg.networks import Discriminators, MGenSegNet, Wanted
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.methods.mgenseg.training import MGenSegTraining
from medsearch.networks.norms import one_estimate
from medsearch.stages.context import Runtime
from medsearch.training.adversarial import AdversarialStep
from medsearch.training.crops import CropBatch
from medsearch.training.optimisers import amsgrad

SLICES = {"paper": (240, 120), "small": (120, 60), "tiny": (60, 30)}
WITHOUT: dict[str, dict[str, Any]] = {
    "the whole step": {},
    "without segmentation": {"weights.seg": 0.0},
    "without modality translation": {"weights.mod.adv": 0.0, "weights.mod.cyc": 0.0},
    "without image-level supervision": {f"weights.gen.{term}": 0.0 for term in ("adv", "rec", "lat")},
    "without absence to presence": {"translate": "presence-to-absence"},
    "without healthy modality translation": {"translate_modality": "diseased"},
    "with unshared latent spaces": {"latent": "separate"},
}


class Bare(MGenSegTraining):
    """The training without data."""

    def __init__(self, recipe: SegmentationRecipe, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.recipe, self.device = recipe, "cpu"
        self.context = type("Context", (), {"runtime": Runtime(threads=threads)})()  # type: ignore[assignment]
        self.net, self.discriminators = MGenSegNet(recipe).train(), Discriminators(recipe).train()
        self.optimisers = {
            "g": amsgrad([self.net], recipe.optimiser),
            "d": amsgrad([self.discriminators], recipe.optimiser),
        }
        self.weights = training._weights(recipe, 1.0)
        self.wanted = Wanted.by(self.weights)

    @property
    def step(self) -> AdversarialStep[Batch, Any]:
        return AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            generators=(self.net,),
            discriminators=(self.discriminators,),
        )


def batch(recipe: SegmentationRecipe, scale: str, size: int) -> Batch:
    """Made-up slices, annotated in the source alone."""

    def slices() -> torch.Tensor:
        return torch.rand(size, 1, *SLICES[scale]) * 2 - 1

    def side(domain: Domain) -> Side:
        y = (torch.rand(size, 1, *SLICES[scale]) > 0.9).float()
        p, a = CropBatch(slices(), y if domain == "source" else y[:0]), CropBatch(slices(), y[:0])
        return Side(p, a, torch.randn(size, recipe.network.unique, 8, 4))

    return Batch({"source": side("source"), "target": side("target")})


def timed(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Seconds by the clock and by the processor, without the first call."""
    call()
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    return (time.perf_counter() - clock) / times, (time.process_time() - cpu) / times


@contextmanager
def anew() -> Iterator[None]:
    """Spectra estimated in every pass, as released."""

    @contextmanager
    def nothing(*_: object) -> Iterator[None]:
        yield

    with patch.object(training, "one_estimate", nothing):
        yield


def networks(of: Bare, x: torch.Tensor) -> Mapping[str, Callable[[], object]]:
    """Each network on as many images, forward and backward."""
    genseg = of.net.of("source")
    latent = genseg.encoder(x)

    def descend(run: Callable[[], torch.Tensor]) -> Callable[[], object]:
        return lambda: run().sum().backward(retain_graph=True)

    return {
        "encoder": descend(lambda: genseg.encoder(x).code),
        "common decoder": descend(lambda: genseg.common(latent)),
        "residual decoder": descend(lambda: genseg.residual(latent)),
        "translation decoder": descend(lambda: of.net.translate(latent, "source")),
        "discriminator": descend(lambda: torch.stack([s.sum() for s in of.discriminators.modality["source"](x)])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=tuple(SLICES), default="paper")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    recipe = MGENSEG.at(options.scale).recipe.segmentation
    print(f"{options.scale}, batch {options.batch}, {options.threads} threads: seconds by the clock, by the processor")
    for name, change in WITHOUT.items():
        of = Bare(override(recipe, change), options.threads)
        given = [batch(recipe, options.scale, options.batch)]
        print(f"  {name:40}", *(f"{seconds:8.2f}" for seconds in timed(lambda: of.step(given), options.times)))  # noqa: B023
    of = Bare(recipe, options.threads)
    with anew():
        print(
            f"  {'spectra anew in every pass':40}", *(f"{s:8.2f}" for s in timed(lambda: of.step(given), options.times))
        )
    x = given[0].sides["source"].p.x
    print(f"forward and backward of one network on {len(x)} images")
    with one_estimate():
        for name, call in networks(of, x).items():
            print(f"  {name:40}", *(f"{seconds:8.3f}" for seconds in timed(call, options.times)))
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        of.step(given)
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=14, max_name_column_width=40))


if __name__ == "__main__":
    main()
