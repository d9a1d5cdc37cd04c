"""The test stage of every baseline: a score of each test case, and pictures of some predictions."""

from medsearch.methods.baselines.selecting import Segment
from medsearch.pictures.predictions import alike, prediction_tiles, said
from medsearch.pictures.tiles import Gallery
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.testing import tested
from medsearch.training.sliced import sliced


def scored(segment: Segment, context: StageContext, evaluation: EvaluationRecipe) -> Training:
    """Score every test case slice by slice with a network in eval mode."""
    of = tested(sliced(segment, context.runtime), context, evaluation)
    notes = said(of.scores.rows)
    shown, gallery = alike(of.shown), Gallery(context.directory)
    titles = [f"{case.subject}\n{notes.get(case.subject, 'no mask')}" for case in shown]
    gallery.add("predictions", list(prediction_tiles(shown, notes)), titles=titles)
    gallery.close()
    yield Epoch(1, {})
    return Outcome(of.scores.metrics, of.scores.notes)
