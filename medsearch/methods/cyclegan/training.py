"""A plain CycleGAN's training: slices of both domains, each drawn from any of its cases."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.views import Abdomen, SynthesisView
from medsearch.core.seeds import generator
from medsearch.methods.cyclegan.recipe import TranslationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Training
from medsearch.stages.translating import Translating, build_cyclegan, training_cases
from medsearch.training.cyclegan import Unpaired


def train(recipe: TranslationRecipe, context: StageContext[SynthesisView]) -> Training:
    """Train to the last epoch."""
    gan = build_cyclegan(recipe.cyclegan, recipe.weights, context)
    g_terms = partial(gan.g_terms, cyc=recipe.weights.cyc, idt=recipe.weights.idt)
    batches = partial(any_slices, context=context, size=recipe.cyclegan.batch)
    return Translating(gan, context, batches=batches, g_terms=g_terms).train()


def any_slices(epoch: int, *, context: StageContext[SynthesisView], size: int) -> Iterator[Unpaired]:
    """As many batches as the larger domain has cases."""
    rng = generator(context.seed, "translation", "epoch", epoch)
    source, target = (training_cases(context.task, side) for side in ("source", "target"))
    for _ in range(max(len(source), len(target))):
        yield Unpaired.of(drawn(source, size, rng), drawn(target, size, rng))


def drawn(cases: Sequence[Abdomen], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Slices (b, h, w) in [-1, 1], case and slice at random."""
    of = (cases[number] for number in rng.integers(len(cases), size=count))
    return np.stack([case.images(rng.integers(len(case))) for case in of])
