"""The test stage of every baseline: a score of each test case, and pictures of some predictions."""

from medsearch.data.hemispheres import SliceRule
from medsearch.methods.baselines.judging import Segment
from medsearch.pictures.predictions import alike, prediction_tiles
from medsearch.pictures.tiles import Gallery
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.testing import tested
from medsearch.training.sliced import sliced


def scored(segment: Segment, context: StageContext, evaluation: EvaluationRecipe, *, rule: SliceRule) -> Training:
    """Score every test case slice by slice with a network in eval mode."""
    of = tested(sliced(segment, context.runtime), context, evaluation, rule=rule)
    notes = {str(row["subject"]): f"Dice {row['dice'] or 0:.2f}" for row in of.scores.rows}
    shown, gallery = alike(of.shown), Gallery(context.directory)
    titles = [f"{case.subject}\n{notes.get(case.subject, 'no mask')}" for case in shown]
    gallery.add("predictions", list(prediction_tiles(shown, notes)), titles=titles)
    gallery.close()
    yield Epoch(1, {})
    return Outcome(of.scores.metrics, of.scores.notes)
