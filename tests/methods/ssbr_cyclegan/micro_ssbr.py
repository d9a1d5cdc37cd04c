"""The method at a size that trains in a second, on made-up bodies."""

from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.methods.ssbr_cyclegan.recipe import (
    RegressorConfig,
    RegressorRecipe,
    SSBRCycleGANRecipe,
    TranslationRecipe,
)
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.training.recipes import CycleGANRecipe, OptimiserRecipe
from tests.micro import small

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
MICRO_SSBR = small(SSBR_CYCLEGAN, RECIPE)
