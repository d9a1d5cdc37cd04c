"""The test of trained translators: scores on pairs, pictures, and what the training took."""

from medsearch.data.views import SynthesisView
from medsearch.networks.cyclegan import Translator, Translators
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.synthesis.pairs import PairScores, Synthesise, made_pairs
from medsearch.stages.synthesis.pictures import Pictures
from medsearch.stages.timing import training_hours
from medsearch.training.checkpoints import load_modules
from medsearch.training.cyclegan_recipe import CycleGANRecipe
from medsearch.training.precision import prepare_torch
from medsearch.training.synthesising import towards


def translator_of(recipe: CycleGANRecipe, context: StageContext[SynthesisView]) -> Translator:
    """The trained generator of the task's direction, in eval mode."""
    prepare_torch(context.runtime)
    translators = Translators(recipe.generator, input_addition=recipe.input_addition)
    load_modules(context.upstream["translation"].file("weights.safetensors"), {"translators": translators})
    return towards(translators.to(context.runtime.device).eval(), context.task)


def tested(synthesise: Synthesise, context: StageContext[SynthesisView]) -> Training:
    """Score every test pair, and draw some of them and of the unpaired cases.

    The hours of training are those of the whole pipeline, a shared stage's in every row that takes it.
    """
    scores, pictures = PairScores(), Pictures(context)
    for pair in made_pairs(synthesise, context.task, "test"):
        scores.add(pair)
        pictures.add(pair)
    pictures.draw(synthesise, scores.rows)
    hours = {"test/training_hours": training_hours(context.upstream.values())}
    yield Epoch(1, {})
    return Outcome({**scores.metrics("test"), **hours}, scores.notes)
