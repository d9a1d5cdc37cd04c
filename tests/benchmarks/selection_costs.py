"""What pairing slices costs in an iteration: `python -m tests.benchmarks.selection_costs [--scale paper] [--step]`.

Made-up patients in two contrasts; position, score with and without cache, and affine registration are timed side by
side, each on the same draws, with what it takes to cut the slices. With --step, an optimiser step of the CycleGAN
stands beside them, so that an iteration of each kind can be compared with one of PBS. By the clock, and by the
processor, which a busy machine slows less.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from rich import print

from medsearch.methods.ssbr_cyclegan.recipe import Weights, make_recipe
from medsearch.methods.ssbr_cyclegan.registering import ByRegistration
from medsearch.methods.ssbr_cyclegan.regression import Regressor, scores
from medsearch.methods.ssbr_cyclegan.selection import ByPosition, ByScore, Cached, Pairing, Patient, Scores
from medsearch.methods.ssbr_cyclegan.translation import total
from medsearch.networks.config import Scale
from medsearch.training.cyclegan import CycleGAN, Unpaired
from medsearch.training.runtime import Runtime
from tests.methods.ssbr_cyclegan.bodies import patient

SIZES: dict[Scale, tuple[int, int]] = {"paper": (120, 128), "small": (96, 96), "tiny": (40, 64)}
"""Slices of a region, and their sides in pixels."""
COUNT = 8


def strategies(regressor: Regressor, runtime: Runtime) -> dict[str, Pairing]:
    def score(of: Patient) -> Scores:
        return scores(regressor, of.slices[np.arange(len(of))], runtime)

    return {
        "position (PBS)": ByPosition(),
        "score, cached": ByScore(Cached(score)),
        "score, every time": ByScore(score),
        "affine registration": ByRegistration(threads=runtime.threads),
    }


def selected(select: Pairing, a: Patient, b: Patient, *, seed: int) -> None:
    select(a, b, COUNT, rng=np.random.default_rng(seed)).cut(a, b)


def timed(call: Callable[..., object], times: int) -> NDArray[np.float64]:
    """Median seconds by the clock and by the processor, without the first call, which fills what is cached."""
    found = []
    for seed in range(times + 1):
        began = time.perf_counter(), time.process_time()
        call(seed=seed)
        found.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return np.median(found[1:], axis=0)


def step(scale: Scale, side: int, runtime: Runtime) -> Callable[..., object]:
    """A step of the CycleGAN without constraint, as PBS's row has it."""
    recipe = make_recipe(scale).translation
    gan = CycleGAN(recipe.cyclegan, root=0, size=(side, side), runtime=runtime)
    gan.begin(1)
    take = gan.step(lambda of: total(gan, of, Weights(acl=0.0), regressor=None))
    batch = Unpaired(*(torch.rand(COUNT, 1, side, side) * 2 - 1 for _ in range(2)))
    return lambda seed: take([batch])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=tuple(SIZES), default="tiny")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--step", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runtime, (slices, side) = Runtime(threads=options.threads), SIZES[options.scale]
    a, b = patient("a", slices, side), patient("b", slices + slices // 8, side, contrast=1)
    regressor = Regressor(make_recipe(options.scale).regressor.network).eval()
    ways = strategies(regressor, runtime).items()
    took = {name: timed(partial(selected, of, a, b), options.times) for name, of in ways}
    print(f"{options.scale}: {slices} and {len(b)} slices of {side} x {side}, {options.threads} threads, {COUNT} pairs")
    print(f"  {'':24} seconds by clock, by processor; times PBS by each")
    stepping = timed(step(options.scale, side, runtime), options.times) if options.step else np.zeros(2)
    if options.step:
        print(f"  {'a step of the CycleGAN':24} {stepping[0]:9.4f} {stepping[1]:9.4f}")
    for name, seconds in took.items():
        against = (stepping + seconds) / (stepping + took["position (PBS)"])
        print(f"  {name:24} {seconds[0]:9.4f} {seconds[1]:9.4f} {against[0]:11.3f} {against[1]:9.3f}")


if __name__ == "__main__":
    main()
