"""Every layout's sizes fit the networks of every scale: shapes alone, without memory."""

from collections.abc import Iterator

import pytest
import torch

from medsearch.data.layouts import LAYOUTS
from medsearch.methods.modatts import MoDATTS
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.translator import Translator
from medsearch.networks.discriminator import MultiScaleDiscriminator

SCALES = ("tiny", "small", "paper")


@pytest.fixture(autouse=True)
def _without_memory() -> Iterator[None]:
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_slices_fit_the_translator(name: str, scale: str) -> None:
    recipe, side = MoDATTS(scale=scale).recipe.translation, LAYOUTS[name].geometries[scale].slice_size
    x = torch.zeros(2, 1, side, side)
    assert Translator(recipe).translate(x).shape == x.shape
    assert all(score.shape[2:].numel() for score in MultiScaleDiscriminator(recipe.discriminator)(x))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_crops_fit_the_segmentor(name: str, scale: str, dimensions: int) -> None:
    recipe = MoDATTS(scale=scale, dimensions=dimensions).recipe.segmentation
    x = torch.zeros(1, 1, *LAYOUTS[name].geometries[scale].crop[-dimensions:])
    segmentor = Segmentor(recipe)
    latent = segmentor.encoder(x)
    assert segmentor.segment(latent).shape == segmentor.common(latent).shape == x.shape
    assert all(score.shape[2:].numel() for score in MultiScaleDiscriminator(recipe.discriminator)(x))
