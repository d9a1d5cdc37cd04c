"""Which stages a recipe means: without scores and without Eq. 5, no regressor."""

from medsearch.core.files import digest
from medsearch.methods.ssbr_cyclegan.recipe import KNOB, WANTED, SSBRCycleGANRecipe
from medsearch.methods.ssbr_cyclegan.stages import BodyRegressor, Test, Translation
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline


def pipeline(recipe: SSBRCycleGANRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """The regressor if anything looks at its scores, the translation, and, if asked for, its test.

    Raises:
        BadInput: the file that the regressor should start from is not there.

    """
    nodes, regressed = [], {"regressor": "regressor"} if recipe.translation.regressed else {}
    if regressed:
        weights = digest(recipe.regressor.imagenet, knob=KNOB, wanted=WANTED)
        nodes.append(Node("regressor", BodyRegressor(recipe=recipe.regressor, imagenet=weights)))
    network = recipe.regressor.network if regressed else None
    translation = Translation(recipe=recipe.translation, regressor=network, selection=selection)
    nodes.append(Node("translation", translation, regressed))
    if test:
        stage = Test(recipe=recipe.inference, translation=recipe.translation)
        nodes.append(Node("test", stage, {"translation": "translation", **regressed}))
    return Pipeline(tuple(nodes))
