"""Which stages a recipe means: one end-to-end training, and its test."""

from medsearch.core.errors import BadInput
from medsearch.methods.mgenseg.recipe import MGenSegRecipe
from medsearch.methods.mgenseg.stages import Segmentation, Test
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline

OWN: dict[str, Selection] = {"source": "source", "target": "oracle"}


def pipeline(recipe: MGenSegRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """The training and, if asked for, its test.

    GenSeg alone is selected on the labels that it trains with, whatever the study's rule: it has no others.

    Raises:
        BadInput: the modality that is to be tested was not trained.

    """
    modalities, tested = recipe.segmentation.modalities, recipe.evaluation.domain
    if tested not in recipe.segmentation.domains:
        msg = f"knob 'evaluation.domain' is {tested!r}, but segmentation.modalities={modalities!r} trains no {tested}"
        raise BadInput(msg)
    training = Segmentation(recipe=recipe.segmentation, selection=OWN.get(modalities, selection))
    nodes = [Node("segmentation", training)]
    if test:
        stage = Test(recipe=recipe.segmentation, evaluation=recipe.evaluation)
        nodes.append(Node("test", stage, {"segmentation": "segmentation"}))
    return Pipeline(tuple(nodes))
