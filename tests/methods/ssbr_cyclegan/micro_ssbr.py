"""The method at a size that trains in a second, on made-up bodies."""

from medsearch.methods.ssbr_cyclegan.config import RegressorConfig
from medsearch.methods.ssbr_cyclegan.pipeline import pipeline
from medsearch.methods.ssbr_cyclegan.recipe import RegressorRecipe, SSBRCycleGANRecipe, TranslationRecipe
from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.training.cyclegan_recipe import CycleGANRecipe
from medsearch.training.recipes import OptimiserRecipe
from tests.micro import Small

RECIPE = SSBRCycleGANRecipe(
    regressor=RegressorRecipe(
        network=RegressorConfig(width=4, units=(1, 1, 1, 1)),
        optimiser=OptimiserRecipe(lr=1e-3, weight_decay=0.0),
        volumes=2,
        slices=4,
        iterations=6,
        epoch_iterations=3,
    ),
    translation=TranslationRecipe(
        cyclegan=CycleGANRecipe(
            generator=ResNetGeneratorConfig(width=4, blocks=1),
            discriminator=PatchDiscriminatorConfig(width=4, layers=2),
            input_addition=True,
            optimiser=OptimiserRecipe(lr=1e-3, weight_decay=0.0),
            pool=3,
            epochs=1,
            decay_epochs=1,
            batch=4,
        )
    ),
)
SSBR = Small(RECIPE, pipeline)
