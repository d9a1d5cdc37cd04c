"""The binary mask at inference: what is generated outside of the input's body is taken away (section 2)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from medsearch.data.views import Abdomen, SynthesisView
from medsearch.methods.ssbr_cyclegan.recipe import InferenceRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.synthesis.testing import translator_of
from medsearch.training.cyclegan_recipe import CycleGANRecipe
from medsearch.training.synthesising import Synthesising, as_it_is

BACKGROUND = -1.0
"""Air, in the normalised range."""


def masked(fake: Float[Tensor, "b 1 h w"], body: Bool[Tensor, "b h w"]) -> Float[Tensor, "b 1 h w"]:
    """`fake` within the body mask of its input, background elsewhere."""
    return torch.where(body.unsqueeze(1), fake, BACKGROUND)


def within_body(made: Float[Tensor, "b 1 h w"], of: Abdomen) -> Float[Tensor, "b 1 h w"]:
    """What was made of a case, background where the case has no body."""
    return masked(made, torch.from_numpy(of.bodies()) > 0)


def synthesising(
    recipe: InferenceRecipe, cyclegan: CycleGANRecipe, context: StageContext[SynthesisView]
) -> Synthesising:
    """The trained translator, with the mask if the recipe has it."""
    finish = within_body if recipe.binary_mask else as_it_is
    return Synthesising(translator_of(cyclegan, context), context.runtime, finish)
