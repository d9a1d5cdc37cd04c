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

Projected = Float[Tensor, "b n width"]


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

    def forward(self, queries: Sequence[Tensor], keys: Sequence[Tensor]) -> tuple[list[Projected], list[Projected]]:
        """Features by layer, of both at the same random places, to their projections of length 1.

        Keys are without gradients, and come after their queries: autocast keeps its first copy of a weight, and through
        one that was made without gradients none flow.
        """
        of_queries, of_keys = [], []
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            places = torch.randperm(query.shape[2:].numel(), device=query.device)[: self.recipe.places]
            of_queries.append(_projected(head, query, places))
            with torch.no_grad():
                of_keys.append(_projected(head, key, places))
        return of_queries, of_keys


def _projected(head: nn.Module, features: Tensor, places: Tensor) -> Projected:
    return F.normalize(head(features.flatten(2)[..., places].transpose(1, 2)).float(), dim=2)
