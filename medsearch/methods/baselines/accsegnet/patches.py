"""What PatchNCE compares: features of a generator at a few places, projected to one sphere per layer."""

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.baselines.accsegnet.recipe import PatchNCERecipe
from medsearch.networks.initialisation import initialise
from medsearch.networks.resnet_generator import ResNetGenerator


@final
class Projections(nn.Module):
    """A small perceptron for every layer that is compared.

    Raises:
        BadInput: the generator has no such layer.
    """

    def __init__(self, recipe: PatchNCERecipe, generator: ResNetGenerator) -> None:
        super().__init__()
        last = len(generator.encoder) - 1
        if not recipe.layers or not 0 <= min(recipe.layers) <= max(recipe.layers) <= last:
            msg = f"layers {recipe.layers} to compare must be among the generator's encoder's, 0 to {last}"
            raise BadInput(msg)
        self.recipe = recipe
        with torch.no_grad():
            features = generator.features(torch.zeros(1, 1, 32, 32), recipe.layers)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(of.shape[1], recipe.width), nn.ReLU(), nn.Linear(recipe.width, recipe.width))
            for of in features
        )
        initialise(self, "xavier")

    def forward(self, *of: Sequence[Tensor]) -> list[list[Float[Tensor, "b n width"]]]:
        """Lists of features by layer, each at the same random places, to their projections of length 1."""
        projected: list[list[Tensor]] = [[] for _ in of]
        for head, *features in zip(self.heads, *of, strict=True):
            pixels = features[0].shape[2:].numel()
            places = torch.randperm(pixels, device=features[0].device)[: self.recipe.places]
            for found, one in zip(projected, features, strict=True):
                found.append(F.normalize(head(one.flatten(2)[..., places].transpose(1, 2)).float(), dim=2))
        return projected
