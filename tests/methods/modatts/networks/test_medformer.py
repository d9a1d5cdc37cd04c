import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.networks.medformer import MedformerEncoder
from medsearch.networks.latent import Latent

CROP = {2: (40, 16), 3: (24, 40, 16)}


def images(dimensions, count=2):
    return torch.rand(count, 1, *CROP[dimensions]) * 2 - 1


@pytest.mark.parametrize("dimensions", [2, 3])
def test_latent_holds_every_level(dimensions):
    config = MedformerConfig.at("tiny", "semi", dimensions)
    latent = MedformerEncoder(config)(images(dimensions))
    sizes = [CROP[dimensions], *(tuple(side // 2**level for side in CROP[dimensions]) for level in (1, 2, 3))]

    assert [tuple(skip.shape[2:]) for skip in latent.skips] == sizes
    assert [skip.shape[1] for skip in latent.skips] == list(config.channels[:4])
    assert latent.code.shape == (2, config.channels[4], *sizes[-1])
    assert [tuple(codes.shape) for codes in latent.maps] == [(2, c, config.codes) for c in config.channels[2:]]


def test_paper_sizes_have_the_published_shapes():
    config = MedformerConfig.at("paper", "semi")
    with torch.device("meta"):
        latent = MedformerEncoder(config)(torch.empty(2, 1, 96, 160, 64))

    assert latent.common.shape == (2, 192, 6, 10, 4)
    assert latent.unique.shape == (2, 64, 6, 10, 4)
    assert [tuple(codes.shape) for codes in latent.maps] == [(2, 64, 120), (2, 128, 120), (2, 256, 120)]


def test_self_supervised_images_are_all_common():
    latent = MedformerEncoder(MedformerConfig.at("tiny", "self"))(images(3))

    assert torch.equal(latent.common, latent.code)
    assert latent.unique.shape[1] == 0


@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_image_does_not_see_its_batch(dimensions):
    encoder = MedformerEncoder(MedformerConfig.at("tiny", "semi", dimensions)).eval()
    x = images(dimensions, 3)
    with torch.no_grad():
        together, alone = encoder(x)[:1], encoder(x[:1])

    for a, b in zip(_tensors(together), _tensors(alone), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def _tensors(latent: Latent):
    return [latent.code, *latent.skips, *latent.maps]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_weight_learns(dimensions, opened):
    encoder = opened(MedformerEncoder(MedformerConfig.at("tiny", "semi", dimensions)))
    sum((tensor * torch.randn_like(tensor)).sum() for tensor in _tensors(encoder(images(dimensions)))).backward()

    assert [name for name, weight in encoder.named_parameters() if not weight.grad.any()] == []


def test_another_unique_code_keeps_everything_else():
    latent = MedformerEncoder(MedformerConfig.at("tiny", "semi"))(images(3))
    u = torch.randn_like(latent.unique)
    other = latent.with_unique(u)

    assert torch.equal(other.unique, u)
    assert torch.equal(other.common, latent.common)
    assert all(a is b for a, b in zip(other.skips + other.maps, latent.skips + latent.maps, strict=True))


def test_any_multiple_of_the_down_sampling_fits():
    encoder = MedformerEncoder(MedformerConfig.at("tiny", "self"))

    assert encoder(torch.zeros(1, 1, 8, 16, 24)).code.shape[2:] == (1, 2, 3)


@pytest.mark.parametrize(("size", "named"), [((24, 42, 16), "24x42x16"), ((40, 16), "40x16")])
def test_an_image_that_does_not_divide_is_refused_with_the_remedy(size, named):
    encoder = MedformerEncoder(MedformerConfig.at("tiny", "self"))

    with pytest.raises(BadInput, match=f"{named} does not fit a 3D Medformer.*multiples of 8; change the task's crop"):
        encoder(torch.zeros(1, 1, *size))


@pytest.mark.parametrize(
    "change",
    [
        {"codes": 3},
        {"scales": (2, 2, 1, 1)},
        {"convs": (1, 2)},
        {"attentions": (2, 1, 1)},
        {"heads": (1, 2, 2)},
        {"expansion": 3},
    ],
)
def test_every_knob_moves_the_code(change):
    config = MedformerConfig.at("tiny", "self", 2)
    torch.manual_seed(0)
    before = MedformerEncoder(config)(torch.ones(1, 1, 40, 16).cumsum(2) / 40).code
    torch.manual_seed(0)
    after = MedformerEncoder(override(config, change))(torch.ones(1, 1, 40, 16).cumsum(2) / 40).code

    assert before.shape != after.shape or not torch.allclose(before, after)
