"""The method at a size that trains in a second: the SSBR CycleGAN's networks, without what they look at."""

from medsearch.methods.cyclegan import CYCLEGAN, PlainCycleGANRecipe, TranslationRecipe
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE as SSBR
from tests.micro import small

RECIPE = PlainCycleGANRecipe(translation=TranslationRecipe(cyclegan=SSBR.translation.cyclegan))
MICRO_CYCLEGAN = small(CYCLEGAN, RECIPE)
