"""Which stages a recipe means: without scores and without Eq. 5, no regressor."""

from medsearch.methods.ssbr_cyclegan.recipe import SSBRCycleGANRecipe
from medsearch.methods.ssbr_cyclegan.stages import BodyRegressor, Test, Translation
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline


def pipeline(recipe: SSBRCycleGANRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """The regressor if anything looks at its scores, the translation, and, if asked for, its test."""
    nodes, regressed = [], {"regressor": "regressor"} if recipe.translation.regressed else {}
    if regressed:
        nodes.append(Node("regressor", BodyRegressor(recipe=recipe.regressor)))
    network = recipe.regressor.network if regressed else None
    translation = Translation(recipe=recipe.translation, regressor=network, selection=selection)
    nodes.append(Node("translation", translation, regressed))
    if test:
        stage = Test(recipe=recipe.inference, translation=recipe.translation)
        nodes.append(Node("test", stage, {"translation": "translation", **regressed}))
    return Pipeline(tuple(nodes))
