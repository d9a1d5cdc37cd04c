import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.networks.config import DiscriminatorConfig
from medsearch.networks.discriminator import MultiScaleDiscriminator, SampleNorm

TINY = {2: (64, 64), 3: (24, 40, 16)}


def test_patches_of_a_paper_sized_crop_are_as_published():
    with torch.device("meta"):
        scores = MultiScaleDiscriminator(DiscriminatorConfig(dimensions=3))(torch.empty(2, 1, 96, 160, 64))

    assert [tuple(score.shape) for score in scores] == [(2, 1, 6, 10, 4), (2, 1, 3, 5, 2), (2, 1, 2, 3, 1)]


def test_patches_of_a_paper_sized_slice():
    with torch.device("meta"):
        scores = MultiScaleDiscriminator(DiscriminatorConfig())(torch.empty(1, 1, 256, 256))

    assert [tuple(score.shape[2:]) for score in scores] == [(16, 16), (8, 8), (4, 4)]


def test_patches_of_a_paper_sized_hemisphere_are_those_of_the_released_module():
    config = DiscriminatorConfig(kernel=4, spectral_norm=True)
    with torch.device("meta"):
        scores = MultiScaleDiscriminator(config)(torch.empty(1, 1, 240, 120))

    assert [tuple(score.shape[2:]) for score in scores] == [(15, 7), (7, 3), (4, 1)]


def test_a_map_narrower_than_the_kernel_is_padded_along_the_other_axis():
    """7 x 3 under a kernel of 4 as the released code pads it: reflected by 1, then one more row at the end."""
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig(channels=(2, 3), kernel=4, scales=1))
    first, activation, second, *last = discriminator.scales[0]
    x = torch.randn(2, 1, 14, 6)
    narrow = activation(first(x))
    assert narrow.shape[2:] == (7, 3)
    around = np.pad(narrow.detach().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")
    padded = torch.from_numpy(np.pad(around, ((0, 0), (0, 0), (0, 1), (0, 0)), "reflect"))
    expected = F.conv2d(padded, second.weight, second.bias, stride=2)
    assert expected.shape[2:] == (4, 1)
    for layer in last:
        expected = layer(expected)

    torch.testing.assert_close(discriminator(x)[0], expected)


@given(kernel=st.sampled_from([3, 4]), height=st.integers(16, 40), width=st.integers(16, 40))
@settings(max_examples=20, deadline=None)
def test_maps_no_narrower_than_the_kernel_are_reflected_at_their_edges_alone(kernel, height, width):
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig(channels=(2, 3), kernel=kernel, scales=1))
    x = expected = torch.randn(1, 1, height, width)
    for layer in discriminator.scales[0]:
        strided = isinstance(layer, torch.nn.Conv2d) and layer.stride == (2, 2)
        expected = layer.forward(expected) if not strided else F.conv2d(
            F.pad(expected, [(kernel - 1) // 2] * 4, "reflect"), layer.weight, layer.bias, stride=2
        )  # fmt: skip

    torch.testing.assert_close(discriminator(x)[0], expected)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scale", ["tiny", "paper"])
def test_tiny_images_survive_every_scale(dimensions, scale):
    config = DiscriminatorConfig.at(scale, dimensions)
    with torch.device("meta" if scale == "paper" else "cpu"):
        scores = MultiScaleDiscriminator(config)(torch.zeros(1, 1, *TINY[dimensions]))

    assert len(scores) == config.scales
    assert all(score.numel() > 0 for score in scores)


def test_a_slice_too_small_to_reflect_is_refused_with_the_remedy():
    with pytest.raises(BadInput, match=r"16x16 is too small .* 4 layers on 3 scales; take fewer scales or channels"):
        MultiScaleDiscriminator(DiscriminatorConfig(channels=(2, 2, 2, 2)))(torch.zeros(1, 1, 16, 16))


def test_an_image_of_other_dimensions_is_refused():
    with pytest.raises(BadInput, match="3D discriminator"):
        MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", 3))(torch.zeros(1, 1, 64, 64))


def test_smallest_accepted_slice_is_exactly_the_smallest_possible():
    config = DiscriminatorConfig(channels=(2, 2, 2, 2))
    discriminator = MultiScaleDiscriminator(config)

    accepted = []
    for side in range(2, 48):
        try:
            discriminator(torch.zeros(1, 1, side, side))
        except BadInput:
            continue
        accepted.append(side)
    assert accepted == list(range(33, 48))


@given(st.integers(2, 6), st.integers(2, 5), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_sample_norm_centres_each_sample_by_its_unbiased_deviation(channels, side, count):
    norm, x = SampleNorm(channels), torch.randn(count, channels, side, side) * 3 + 1
    torch.nn.init.ones_(norm.scale)
    y = norm(x)
    flat = x.flatten(1)
    expected = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1e-5)

    torch.testing.assert_close(y.flatten(1), expected, atol=1e-4, rtol=1e-4)


def test_scales_and_shifts_start_as_released():
    norm = SampleNorm(1000)

    assert 0 <= norm.scale.min() < 0.05
    assert 0.95 < norm.scale.max() < 1
    assert not norm.shift.any()


def test_a_constant_image_stays_finite():
    scores = MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", 3))(torch.zeros(2, 1, *TINY[3]))

    assert all(score.isfinite().all() for score in scores)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_sample_does_not_see_its_batch(dimensions):
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", dimensions))
    x = torch.randn(3, 1, *TINY[dimensions])

    for together, alone in zip(discriminator(x), discriminator(x[:1]), strict=True):
        torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_weight_and_the_image_get_gradients(dimensions):
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", dimensions))
    x = torch.randn(2, 1, *TINY[dimensions], requires_grad=True)
    sum(score.square().sum() for score in discriminator(x)).backward()

    assert [name for name, weight in discriminator.named_parameters() if not weight.grad.any()] == []
    assert x.grad.any()


def test_scales_judge_independently():
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig.at("tiny", 2))
    x = torch.randn(1, 1, 64, 64)
    before = discriminator(x)
    torch.nn.init.zeros_(discriminator.scales[1][-1].weight)
    after = discriminator(x)

    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])
