"""A plain CycleGAN's training: slices of both domains, each drawn from any of its cases."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from medsearch.cohorts.views import DOMAINS, SynthesisView
from medsearch.core.seeds import generator
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Training
from medsearch.stages.translating import Translating, build_cyclegan, training_cases
from medsearch.training.cyclegan import Unpaired
from medsearch.training.recipes import CycleGANRecipe, CycleGANWeights


def train(recipe: CycleGANRecipe, weights: CycleGANWeights, context: StageContext[SynthesisView]) -> Training:
    """Train to the last epoch on CycleGAN's loss."""
    gan = build_cyclegan(recipe, weights, context)
    g_terms = partial(gan.g_terms, cyc=weights.cyc, idt=weights.idt)
    batches = partial(any_slices, context=context, size=recipe.batch)
    return Translating(gan, context, batches=batches, g_terms=g_terms).train()


def any_slices(epoch: int, *, context: StageContext[SynthesisView], size: int) -> Iterator[Unpaired]:
    """As many batches as the larger domain has cases: `size` slices of each, case and slice at random, in [-1, 1]."""
    rng = generator(context.seed, "translation", "epoch", epoch)
    domains = [training_cases(context.task, side) for side in DOMAINS]
    for _ in range(max(map(len, domains))):
        drawn = []
        for cases in domains:
            chosen = [cases[number] for number in rng.integers(len(cases), size=size)]
            drawn.append(np.stack([case.images(rng.integers(len(case))) for case in chosen]))
        yield Unpaired.of(*drawn)
