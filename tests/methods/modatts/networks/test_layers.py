import pytest
import torch
import torch.nn.functional as F
from torch import nn

from medsearch.methods.modatts.networks.layers import Convolution, InstanceNorm, Layers, SwitchedInstanceNorm
from medsearch.networks.latent import MODES

SPACE = {1: (9,), 2: (6, 5), 3: (4, 6, 5)}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    ("channels", "kernel", "groups", "bias"), [((3, 5), 3, 1, False), ((4, 4), 3, 4, True), ((1, 4), 1, 1, True)]
)
def test_convolution_and_its_gradients_equal_pytorchs(dimensions, channels, kernel, groups, bias):
    ours = Convolution(dimensions, channels, kernel=kernel, groups=groups, bias=bias)
    x = torch.randn(2, channels[0], *SPACE[dimensions], dtype=torch.float32, requires_grad=True)
    plain = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dimensions]
    inputs = [x, ours.weight, *([ours.bias] if bias else [])]
    expected = plain(x, ours.weight, ours.bias, padding=kernel // 2, groups=groups)
    weights = torch.randn_like(expected)

    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)
    mine = torch.autograd.grad((ours(x) * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for gradient, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-4, rtol=1e-4)
    assert mine[0].is_contiguous()


def test_convolution_starts_as_pytorchs():
    torch.manual_seed(3)
    ours = Convolution(3, (4, 6))
    torch.manual_seed(3)
    theirs = nn.Conv3d(4, 6, 3, bias=False)

    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_instance_norm_equals_pytorchs(dimensions):
    x = torch.randn(2, 3, *SPACE[dimensions]) * 4 + 2

    torch.testing.assert_close(InstanceNorm()(x, None), F.instance_norm(x), atol=1e-5, rtol=1e-5)


def test_switched_norm_uses_the_set_of_its_mode():
    norm, x = SwitchedInstanceNorm(3, MODES), torch.randn(2, 3, 4, 5)
    for parameters in (norm.scale, norm.shift):
        for of_mode in parameters.values():
            nn.init.normal_(of_mode)

    for mode in MODES:
        expected = F.instance_norm(x, weight=norm.scale[mode], bias=norm.shift[mode])
        torch.testing.assert_close(norm(x, mode), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(norm(x, "residual"), norm(x, "segmentation"))


def test_switched_norm_starts_alike_in_both_modes():
    norm, x = SwitchedInstanceNorm(3, MODES), torch.randn(2, 3, 4, 5)

    assert torch.equal(norm(x, "residual"), norm(x, "segmentation"))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_resizing_keeps_the_corners(dimensions):
    layers, x = Layers(dimensions), torch.randn(1, 2, *[3] * dimensions)
    y = layers.resize(x, [6] * dimensions)
    ends = [slice(None, None, 2)] * dimensions
    far = [slice(None, None, 5)] * dimensions

    torch.testing.assert_close(y[(..., *far)], x[(..., *ends)], atol=1e-6, rtol=1e-6)
    assert layers.resize(x, [3] * dimensions) is x
