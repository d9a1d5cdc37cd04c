"""Every layout's sizes fit the networks of every scale: shapes alone, without memory.

M-GenSeg and the baselines see slices of whole hemispheres, which BraTS alone has: CrossMoDA's images come in the sizes
that hospitals chose.
"""

import math
from collections.abc import Iterator

import pytest
import torch

from medsearch.cohorts.layouts import TUMOUR_LAYOUTS
from medsearch.cohorts.patches import hemispheres
from medsearch.core.recipes import override
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET, UAGAN
from medsearch.methods.baselines.accsegnet.networks import AccSegNet as AccSegNetwork
from medsearch.methods.baselines.accsegnet.networks import Projections
from medsearch.methods.baselines.attent.networks import DeepLab, MapDiscriminator
from medsearch.methods.baselines.attent.networks import Translator as AttENTTranslator
from medsearch.methods.baselines.slices import Pair
from medsearch.methods.baselines.uagan.networks import Generator, Judge
from medsearch.methods.baselines.unet.training import UNet
from medsearch.methods.mgenseg import GENSEG, MGENSEG
from medsearch.methods.mgenseg.networks import OTHER, Discriminators, MGenSegNet
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.translator import Translator
from medsearch.networks.cyclegan import PatchDiscriminator
from medsearch.networks.discriminator import MultiScaleDiscriminator
from medsearch.stages.method import Method
from medsearch.training.crops import CropBatch

SCALES = ("tiny", "small", "paper")
SIZES = {str(layout.geometries): name for name, layout in TUMOUR_LAYOUTS.items()}.values()
"""A layout for each distinct set of sizes: the years of one data set share theirs."""


@pytest.fixture(autouse=True)
def _without_memory() -> Iterator[None]:
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", SIZES)
def test_slices_fit_the_translator(name: str, scale: str) -> None:
    recipe, side = MODATTS.at(scale).recipe.translation, TUMOUR_LAYOUTS[name].geometries[scale].slice_size
    x = torch.zeros(2, 1, side, side)
    assert Translator(recipe).translate(x).shape == x.shape
    assert all(score.shape[2:].numel() for score in MultiScaleDiscriminator(recipe.discriminator)(x))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", SIZES)
def test_crops_fit_the_segmentor(name: str, scale: str, dimensions: int) -> None:
    recipe = MODATTS.configured(scale=scale, dimensions=dimensions).recipe.segmentation
    x = torch.zeros(1, 1, *TUMOUR_LAYOUTS[name].geometries[scale].crop[-dimensions:])
    segmentor = Segmentor(recipe)
    latent = segmentor.encoder(x)
    assert segmentor.segment(latent).shape == segmentor.common(latent).shape == x.shape
    assert all(score.shape[2:].numel() for score in MultiScaleDiscriminator(recipe.discriminator)(x))


@pytest.fixture(params=SCALES)
def scale(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def x(scale: str) -> torch.Tensor:
    """Two slices of a hemisphere of BraTS, whose images are 155 x 240 x 240 voxels of 1 mm."""
    geometry = TUMOUR_LAYOUTS["brats2020"].geometries[scale]
    shape = tuple(math.ceil(size / spacing) for size, spacing in zip((155, 240, 240), geometry.spacing, strict=True))
    return torch.zeros(2, 1, *hemispheres(geometry, shape).crop[1:])


def judges(network: torch.nn.Module, x: torch.Tensor) -> bool:
    return all(scores.shape[2:].numel() for scores in network(x))


def pair(x: torch.Tensor) -> Pair:
    return Pair(CropBatch(x, x[:1]), CropBatch(x, x[:1]))


def test_hemispheres_fit_the_supervised_u_net(x: torch.Tensor, scale: str) -> None:
    assert UNet(SUPERVISED_UNET.at(scale).recipe.segmentation.network)(x).shape == x.shape


@pytest.mark.parametrize("preset", ["compared", "official"])
def test_hemispheres_fit_accsegnet(x: torch.Tensor, scale: str, preset: str) -> None:
    recipe = ACCSEGNET.configured(scale=scale, preset=preset).recipe.segmentation
    network = AccSegNetwork(recipe)
    out = network(pair(x))
    assert out.x_st.shape == network.segment_source(x).shape == x.shape
    assert out.y_hat_st.shape == out.y_hat_t.shape == x[:1].shape
    assert judges(PatchDiscriminator(recipe.discriminator), x)
    features = network.to_t.features(x, recipe.patches.layers)
    assert len(Projections(recipe.patches, network.to_t)(features, features)[0]) == len(recipe.patches.layers)


def test_hemispheres_fit_attent(x: torch.Tensor, scale: str) -> None:
    recipe = ATTENT.at(scale).recipe
    out = AttENTTranslator(recipe.translation)(x, x)
    assert out.x_st.shape == out.x_tst.shape == x.shape
    assert judges(PatchDiscriminator(recipe.translation.discriminator), x)
    outputs = DeepLab(recipe.segmentation.network)(x)
    assert all(y_hat.shape == x.shape for y_hat in outputs)
    assert MapDiscriminator(recipe.segmentation.discriminator)(torch.cat(outputs, 1)).shape[2:].numel()


@pytest.mark.parametrize("preset", ["compared", "official"])
def test_hemispheres_fit_uagan(x: torch.Tensor, scale: str, preset: str) -> None:
    recipe = UAGAN.configured(scale=scale, preset=preset).recipe.segmentation
    logits, image = Generator(recipe.network)(x, torch.zeros(2, 2))
    assert logits.shape == image.shape == x.shape
    real, contrast = Judge(recipe.discriminator, (x.shape[2], x.shape[3]))(x)
    assert real.shape[2:].numel()
    assert contrast.shape == (2, 2)


@pytest.mark.parametrize("method", [MGENSEG, GENSEG])
def test_hemispheres_fit_m_genseg(x: torch.Tensor, scale: str, method: Method) -> None:
    plain = {"network.spectral_norm": False, "discriminator.spectral_norm": False}  # which want numbers
    recipe = override(method.at(scale).recipe.segmentation, plain)
    network = MGenSegNet(recipe)
    for domain in network.domains:
        genseg = network.of(domain)
        codes = genseg.encoder(x)
        assert genseg(x).shape == genseg.residual(codes).shape == genseg.common(codes).shape == x.shape
        if len(network.domains) == 2:
            assert network.translate(network.encode_for_translation(x, domain), OTHER[domain]).shape == x.shape
    discriminators = [part for part in Discriminators(recipe).modules() if isinstance(part, MultiScaleDiscriminator)]
    assert discriminators
    assert all(scores.shape[2:].numel() for judge in discriminators for scores in judge(x))
