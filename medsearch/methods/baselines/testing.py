"""The test stage of every baseline: a score of each test case, and pictures of some predictions."""

from medsearch.pictures.predictions import add_predictions, alike
from medsearch.pictures.tiles import Gallery
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.testing import tested
from medsearch.training.selecting import Segment
from medsearch.training.sliced import sliced


def scored(segment: Segment, context: StageContext, evaluation: EvaluationRecipe) -> Training:
    """Score every test case slice by slice with a network in eval mode."""
    of = tested(sliced(segment, context.runtime), context, evaluation)
    gallery = Gallery(context.directory)
    add_predictions(gallery, alike(of.shown), of.scores.rows)
    gallery.close()
    yield Epoch(1, {})
    return Outcome(of.scores.metrics, of.scores.notes)
