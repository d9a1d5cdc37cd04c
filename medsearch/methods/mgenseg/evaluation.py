"""The test stage: scores of every case, and what the networks show: predictions, tumours taken off, attention."""

from medsearch.methods.mgenseg.networks import MGenSegNet
from medsearch.methods.mgenseg.passes import Wanted
from medsearch.methods.mgenseg.pictures import Pictures
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.pictures.predictions import alike
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.testing import tested
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import prepare_torch
from medsearch.training.sliced import sliced


def evaluate(recipe: SegmentationRecipe, evaluation: EvaluationRecipe, context: StageContext) -> Training:
    """Score every test case of the modality; show some."""
    prepare_torch(context.runtime)
    net = MGenSegNet(recipe)
    load_modules(context.upstream["segmentation"].file("weights.safetensors"), {"net": net})
    net.to(context.runtime.device).eval()
    predict = sliced(net.of(evaluation.domain), context.runtime)
    of = tested(predict, context, evaluation)
    wanted = Wanted.by(context.upstream["segmentation"].manifest["notes"]["weights"])
    Pictures(context, net, evaluation.domain, wanted).draw(alike(of.shown), of.scores)
    yield Epoch(1, {})
    return Outcome(of.scores.metrics, of.scores.notes)
