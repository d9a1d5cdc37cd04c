import itertools

import pytest
import torch
import torch.nn.functional as F

from medsearch.methods.modatts.networks.blocks import BasicBlock, MBConv, PatchMerging, SqueezeExcitation, _merged
from medsearch.methods.modatts.networks.layers import Layers
from medsearch.networks.latent import MODES

SPACE = {2: (4, 6), 3: (4, 6, 2)}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_merging_puts_each_patch_into_channels(dimensions):
    x = torch.randn(2, 3, *SPACE[dimensions])
    y = _merged(x, 2)
    offsets = itertools.product(range(2), repeat=dimensions)
    expected = torch.cat([x[(..., *(slice(o, None, 2) for o in offset))] for offset in offsets], 1)

    assert torch.equal(y, expected)
    assert _merged(x, 1) is x


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_patch_merging_divides_the_size_by_its_scale(dimensions, scale):
    y = PatchMerging(Layers(dimensions), 3, 5, scale=scale)(torch.randn(2, 3, *SPACE[dimensions]))

    assert y.shape == (2, 5, *(side // scale for side in SPACE[dimensions]))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("modes", [(), MODES])
@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (6, 4)])
def test_basic_block_keeps_the_size(dimensions, modes, inputs, outputs):
    block = BasicBlock(Layers(dimensions, modes), inputs, outputs)
    x = torch.randn(2, inputs, *SPACE[dimensions])

    assert block(x, "residual").shape == (2, outputs, *SPACE[dimensions])


def test_a_block_that_keeps_its_channels_has_an_identity_shortcut():
    block, x = BasicBlock(Layers(3), 4, 4), torch.randn(1, 4, 4, 4, 4)
    torch.nn.init.zeros_(block.second.convolution.weight)

    assert torch.equal(block(x), x)


def test_a_widening_block_is_the_same_joined_or_with_separate_branches():
    joined, separate = BasicBlock(Layers(3), 6, 4), BasicBlock(Layers(3, MODES), 6, 4)
    first, shortcut = joined.first.convolution.weight.detach().chunk(2)
    separate.first.convolution.weight.data = first
    separate.shortcut.convolution.weight.data = shortcut
    separate.second.convolution.weight.data = joined.second.convolution.weight.detach()
    x = torch.randn(2, 6, 4, 4, 4)

    torch.testing.assert_close(joined(x), separate(x, "residual"), atol=1e-5, rtol=1e-5)


def test_squeeze_and_excitation_scales_whole_channels():
    gate, x = SqueezeExcitation(8), torch.rand(2, 8, 3, 4) + 0.5
    ratio = gate(x) / x

    torch.testing.assert_close(ratio, ratio[..., :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


def test_mbconv_without_its_projection_is_the_identity():
    block, x = MBConv(Layers(2), 4, expansion=4), torch.randn(1, 4, 6, 6)
    torch.nn.init.zeros_(block.project.convolution.weight)

    assert torch.equal(block(x, None), x)


def test_mbconv_mixes_space_only_within_its_kernel_but_for_the_gate_and_norms():
    block = MBConv(Layers(2), 2, expansion=2)
    assert block.depthwise.convolution.weight.shape == (4, 1, 3, 3)
    assert block.expand.convolution.weight.shape == (4, 2, 1, 1)
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(
        block.depthwise.convolution(x), F.conv2d(x, block.depthwise.convolution.weight, padding=1, groups=4)
    )
