"""The method at a size that trains in a second: the SSBR CycleGAN's networks, without what they look at."""

from medsearch.methods.cyclegan import Recipe, pipeline
from medsearch.stages.synthesis.cyclegan import CycleGANTranslationRecipe
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE as SSBR
from tests.micro import Small

RECIPE = Recipe(translation=CycleGANTranslationRecipe(cyclegan=SSBR.translation.cyclegan))
CYCLEGAN = Small(RECIPE, pipeline)
