"""CycleGAN's generators, one in all its forms and two in cycles, and its patch discriminator."""

from dataclasses import replace

import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.cyclegan import (
    BlurDown,
    BlurUp,
    Discriminators,
    PatchDiscriminator,
    ResNetGenerator,
    Translator,
    Translators,
    binomial,
)

FORMS = {
    "CycleGAN": {},
    "CUT": {"down": "anti-aliased", "up": "anti-aliased", "initialisation": "xavier"},
    "AttENT": {"up": "bilinear", "skips": "gated", "initialisation": "default"},
}
SIZES = {"paper": (240, 120), "small": (120, 60), "tiny": (60, 30)}


def count(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("form", "parameters"), [("CycleGAN", 11_365_633), ("CUT", 11_365_633), ("AttENT", 11_169_642)]
)
def test_sizes_are_the_published_ones(form: str, parameters: int) -> None:
    with torch.device("meta"):
        assert count(ResNetGenerator(ResNetGeneratorConfig(**FORMS[form]))) == parameters


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", SIZES)
def test_images_keep_their_size(form: str, scale: str) -> None:
    with torch.device("meta"):
        network = ResNetGenerator(replace(ResNetGeneratorConfig.at(scale), **FORMS[form]))
        x = torch.zeros(2, 1, *SIZES[scale])
        assert network(x).shape == x.shape


@pytest.mark.parametrize("form", FORMS)
def test_odd_sides_come_back_and_samples_do_not_see_each_other(form: str) -> None:
    torch.manual_seed(0)
    network = ResNetGenerator(ResNetGeneratorConfig(width=4, blocks=1, **FORMS[form])).eval()
    x = torch.randn(3, 1, 27, 13)
    y = network(x)
    assert y.shape == x.shape
    assert y.abs().max() < 1
    torch.testing.assert_close(network(x[1:2]), y[1:2])


def test_layers_are_numbered_as_by_cut() -> None:
    network = ResNetGenerator(ResNetGeneratorConfig(**FORMS["CUT"], width=4))
    features = network.features(torch.zeros(1, 1, 32, 16), (0, 4, 8, 12, 16))
    assert [tuple(of.shape[1:]) for of in features] == [
        (1, 38, 22),
        (8, 32, 16),
        (16, 16, 8),
        (16, 8, 4),
        (16, 8, 4),
    ]


def test_a_config_that_fits_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="knob 'blocks'"):
        ResNetGenerator(ResNetGeneratorConfig(blocks=0))


def test_filters_blur_by_hand_worked_numbers() -> None:
    assert (16 * binomial(3)).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 16
    assert BlurDown(1)(point)[0, 0].tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]
    point = torch.zeros(1, 1, 3, 3)
    point[..., 1, 1] = 16
    row = torch.tensor([0.0, 1, 3, 3, 1, 0])
    torch.testing.assert_close(BlurUp(1)(point)[0, 0], row[:, None] * row[None, :])
    for layer in (BlurUp(2), BlurDown(2)):
        assert (layer(torch.full((1, 2, 6, 4), 3.0)) == 3).all()


def test_an_odd_side_is_rounded_up() -> None:
    assert BlurDown(1)(torch.zeros(1, 1, 15, 30)).shape == (1, 1, 8, 15)


def test_attent_begins_as_torch_does_and_interpolates_from_corner_to_corner() -> None:
    torch.manual_seed(0)
    network = ResNetGenerator(ResNetGeneratorConfig(width=16, blocks=1, **FORMS["AttENT"]))
    first = network.encoder[1]
    assert first.weight.abs().max() <= 1 / 7  # uniform, of 49 inputs
    assert first.weight.std().item() == pytest.approx(1 / 7 / 3**0.5, rel=0.1)
    assert first.bias.any()
    row = network.ups[0][0](torch.tensor([[[[0.0, 3.0], [0.0, 3.0]]]]))[0, 0, 0]
    torch.testing.assert_close(row, torch.arange(4.0))


SMALL = ResNetGeneratorConfig(width=4, blocks=1)


def test_sizes_of_two_of_each_are_the_published_ones() -> None:
    with torch.device("meta"):
        translators, judges = Translators(ResNetGeneratorConfig()), Discriminators(PatchDiscriminatorConfig())
        assert [count(of) for of in (translators.g_st, translators.g_ts)] == [11_365_633] * 2
        assert [count(of) for of in (judges.d_s, judges.d_t)] == [2_762_689] * 2
        assert judges.d_s(torch.zeros(1, 1, 128, 128))[0].shape == (1, 1, 14, 14)


@pytest.mark.parametrize("input_addition", [False, True])
def test_images_stay_in_their_range(input_addition: bool) -> None:
    torch.manual_seed(0)
    translator = Translator(SMALL, input_addition=input_addition)
    for weight in translator.parameters():
        weight.data.mul_(40)
    y = translator(torch.rand(2, 1, 16, 16) * 2 - 1)
    assert y.shape == (2, 1, 16, 16)
    assert y.abs().max() <= 1


def test_with_input_addition_a_generator_of_zero_changes_nothing() -> None:
    translator, x = Translator(SMALL, input_addition=True), torch.rand(2, 1, 16, 16) * 2 - 1
    torch.nn.init.zeros_(translator.generator.head[1].weight)
    assert torch.equal(translator(x), x)
    torch.nn.init.constant_(translator.generator.head[1].bias, 0.5)
    torch.testing.assert_close(translator(x), (x + torch.tanh(torch.tensor(0.5))).clamp(-1, 1))


def test_both_cycles_go_through_the_right_generators() -> None:
    translators = Translators(SMALL, input_addition=True)
    for translator, adds in ((translators.g_st, 0.25), (translators.g_ts, -0.5)):
        torch.nn.init.zeros_(translator.generator.head[1].weight)
        torch.nn.init.constant_(translator.generator.head[1].bias, torch.atanh(torch.tensor(adds)).item())
    x_s, x_t = torch.zeros(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.125)
    of = translators(x_s, x_t, identity=True)
    found = {name: image.mean().item() for name, image in vars(of).items()}
    expected = {"x_st": 0.25, "x_ts": -0.375, "x_sts": -0.25, "x_tst": -0.125, "x_ss": -0.5, "x_tt": 0.375}
    assert found == pytest.approx({"x_s": 0, "x_t": 0.125, **expected}, abs=1e-6)
    assert translators(x_s, x_t).x_ss is None


def test_the_paper_s_size_is_the_published_one() -> None:
    with torch.device("meta"):
        network = PatchDiscriminator(PatchDiscriminatorConfig())
        assert sum(weight.numel() for weight in network.parameters()) == 2_762_689
        (scores,) = network(torch.zeros(2, 1, 240, 120))
    assert scores.shape == (2, 1, 28, 13)


def test_a_patch_is_70_pixels_wide() -> None:
    """Without norms, which see the whole image, a score depends on 70 x 70 pixels."""
    torch.manual_seed(0)
    network = PatchDiscriminator(PatchDiscriminatorConfig(width=2))
    layers = torch.nn.Sequential(*(part for part in network.layers if not isinstance(part, torch.nn.InstanceNorm2d)))
    x = torch.randn(1, 1, 200, 200, requires_grad=True)
    layers(x)[0, 0, 10, 10].backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


@pytest.mark.parametrize("down", ["strided", "anti-aliased"])
@pytest.mark.parametrize(("scale", "size"), [("small", (120, 60)), ("tiny", (60, 30)), ("tiny", (31, 17))])
def test_every_scale_judges_patches(scale: str, size: tuple[int, int], down: str) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(replace(PatchDiscriminatorConfig.at(scale), down=down))
    x = torch.randn(3, 1, *size)
    (scores,) = network(x)
    assert min(scores.shape[2:]) > 1
    torch.testing.assert_close(network(x[1:2])[0], scores[1:2])


def test_blurs_add_no_weights_and_change_no_size() -> None:
    with torch.device("meta"):
        plain, blurred = (
            PatchDiscriminator(PatchDiscriminatorConfig(down=down)) for down in ("strided", "anti-aliased")
        )
        x = torch.zeros(2, 1, 240, 120)
        assert plain(x)[0].shape == blurred(x)[0].shape
    shapes = [[tuple(weight.shape) for weight in network.parameters()] for network in (plain, blurred)]
    assert shapes[0] == shapes[1]
    blurs = [layer for layer in blurred.layers if isinstance(layer, BlurDown)]
    assert len(blurs) == 3
    assert all(layer.stride == (1, 1) for layer in blurred.layers if isinstance(layer, torch.nn.Conv2d))


def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(BadInput, match=r"too small .* 3 halving layers"):
        PatchDiscriminator(PatchDiscriminatorConfig(width=2))(torch.zeros(1, 1, 60, 20))
    with pytest.raises(BadInput, match="knob 'layers'"):
        PatchDiscriminator(PatchDiscriminatorConfig(layers=0))
