"""AttENT's two generators, and one pass of slices through both cycles."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.baselines.attent.recipe import TranslationRecipe
from medsearch.methods.baselines.drawing import Pair
from medsearch.networks.resnet_generator import ResNetGenerator
from medsearch.stages.context import Artifact
from medsearch.training.checkpoints import load_modules

Slices = Float[Tensor, "_ 1 _ _"]
WEIGHTS = {"last": "weights.safetensors", "best": "best.safetensors"}


@dataclass(frozen=True)
class Cycled:
    """A batch, its translations, and these translated back."""

    batch: Pair
    x_st: Slices
    x_ts: Slices
    x_sts: Slices
    x_tst: Slices


@final
class Translator(nn.Module):
    """G_T and G_S."""

    def __init__(self, recipe: TranslationRecipe) -> None:
        super().__init__()
        self.to_t, self.to_s = ResNetGenerator(recipe.generator), ResNetGenerator(recipe.generator)

    def forward(self, batch: Pair) -> Cycled:
        """Both cycles."""
        x_st, x_ts = self.to_t(batch.source.x), self.to_s(batch.target.x)
        x_sts, x_tst = self.to_s(x_st), self.to_t(x_ts)
        return Cycled(batch, *(x.float() for x in (x_st, x_ts, x_sts, x_tst)))

    @torch.no_grad()
    def as_source(self, x_t: Slices) -> Slices:
        """Target slices as the segmentor knows them; no gradient."""
        x_ts: Tensor = self.to_s(x_t)
        return x_ts.float()

    @torch.no_grad()
    def there_and_back(self, x_s: Slices) -> Slices:
        """Source slices by the way that target slices come: through the target contrast; no gradient."""
        return self.as_source(self.to_t(x_s))


def load_translator(recipe: TranslationRecipe, artifact: Artifact, which: str, device: str) -> Translator:
    """In eval mode, without gradients."""
    translator = Translator(recipe)
    load_modules(artifact.file(WEIGHTS[which]), {"translator": translator})
    return translator.to(device).eval().requires_grad_(False)
