"""Training a CycleGAN to its last epoch, whose weights are kept, and what translates with them.

A stage builds one, draws its own batches and writes down its total loss:

    gan = build_cyclegan(recipe.cyclegan, recipe.weights, context)
    return Translating(gan, context, batches=..., g_terms=...).train()
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from medsearch.cohorts.views import Abdomen, Domain, SynthesisView
from medsearch.core.seeds import seed
from medsearch.networks.cyclegan import Cycled, Translators
from medsearch.stages.context import WEIGHTS, StageContext
from medsearch.stages.pairs import PairScores, made_pairs
from medsearch.stages.stage import Outcome, Training
from medsearch.training.adversarial import Terms
from medsearch.training.checkpoints import save_tensors
from medsearch.training.cyclegan import CycleGAN, Unpaired
from medsearch.training.inference import Finish, SliceTranslator, as_it_is, towards
from medsearch.training.loop import Loop, run
from medsearch.training.precision import prepare_torch
from medsearch.training.prefetch import micro_batches
from medsearch.training.recipes import CycleGANRecipe, CycleGANWeights


def training_cases(view: SynthesisView, side: Domain) -> list[Abdomen]:
    """Every case that a side is trained on, in the split's order."""
    return [view.abdomen(side, "train", name) for name in view.subjects(side, "train")]


def build_cyclegan(recipe: CycleGANRecipe, weights: CycleGANWeights, context: StageContext[SynthesisView]) -> CycleGAN:
    """Seeded networks for the task's slices; generators see their own domain only where identity has a weight."""
    prepare_torch(context.runtime)
    side = context.task.geometry.slice_size
    return CycleGAN(
        recipe,
        root=seed(context.seed, "translation"),
        size=(side, side),
        runtime=context.runtime,
        identity=weights.idt * weights.cyc > 0,
    )


@final
@dataclass(frozen=True, eq=False)
class Translating:
    """The training of a CycleGAN.

    batches: of an epoch, counted from 1. g_terms: the total loss that generators minimise, by term.
    """

    gan: CycleGAN
    context: StageContext[SynthesisView]
    batches: Callable[[int], Iterator[Unpaired]]
    g_terms: Callable[[Cycled], Terms]

    def steps(self, epoch: int) -> Iterator[Terms]:
        """The losses of every optimiser step of an epoch, counted from 1, by term."""
        self.gan.begin(epoch)
        yield from map(self.gan.step(self.g_terms), micro_batches(self.batches(epoch), self.context.runtime))

    def validate(self) -> dict[str, float]:
        """Scores on the pairs that selection may see, in the task's direction; nothing where it sees none."""
        view = self.context.task
        if "paired.validation.images" not in view.reads:
            return {}
        translator = towards(self.gan.translators.eval(), view)
        scores = PairScores()
        for pair in made_pairs(SliceTranslator(translator, self.context.runtime), view, "validation"):
            scores.add(pair)
        return scores.metrics("validation")

    def train(self) -> Training:
        """Train all epochs, and write the translators' weights as `weights.safetensors`."""
        epochs = self.gan.recipe.all_epochs
        loop = Loop(
            modules=self.gan.modules,
            optimisers=self.gan.optimisers,
            steps=self.steps,
            validate=self.validate,
            epochs=epochs,
            validate_every=epochs,
            best="",
            keep=("translators",),
        )
        root = seed(self.context.seed, "translation")
        last = yield from run(loop, root=root, checkpoint=self.context.checkpoint)
        save_tensors(self.context.directory / WEIGHTS, last.tensors)
        return Outcome(last.measured)


def trained_translator(
    recipe: CycleGANRecipe, context: StageContext[SynthesisView], finish: Finish = as_it_is
) -> SliceTranslator:
    """What was trained upstream, in the task's direction; `finish` is what is done to what it makes."""
    untrained = Translators(recipe.generator, input_addition=recipe.input_addition)
    translators = context.trained("translation", untrained, "translators")
    return SliceTranslator(towards(translators, context.task), context.runtime, finish)
