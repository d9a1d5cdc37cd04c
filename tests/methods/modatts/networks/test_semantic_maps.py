import pytest
import torch

from medsearch.methods.modatts.networks.layers import Layers
from medsearch.methods.modatts.networks.semantic_maps import (
    AttentionBlock,
    BidirectionalAttention,
    MapFusion,
    SemanticMap,
)
from medsearch.networks.latent import MODES

SPACE = {2: (4, 6), 3: (4, 6, 2)}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_code_is_a_weighted_mean_of_the_features(dimensions):
    gather, x = SemanticMap(Layers(dimensions), 4, 7), torch.randn(2, 4, *SPACE[dimensions])
    codes = gather(x)
    values, logits = gather.project(x).flatten(2).split((4, 7), 1)

    assert codes.shape == (2, 4, 7)
    for code in range(7):
        weights = torch.exp(logits[:, code]) / torch.exp(logits[:, code]).sum(1, keepdim=True)
        torch.testing.assert_close(codes[:, :, code], (values * weights[:, None]).sum(2), atol=1e-5, rtol=1e-5)
    assert (codes <= values.amax(2, keepdim=True) + 1e-5).all()


@pytest.mark.parametrize(("outputs", "heads"), [(8, 2), (10, 3)])
def test_attention_looks_both_ways_through_one_affinity(outputs, heads):
    attention = BidirectionalAttention(Layers(3), 6, outputs, heads=heads, returns_codes=True)
    x, codes = torch.randn(2, 6, *SPACE[3]), torch.randn(2, outputs, 5)
    width = outputs // heads
    q, v = attention.features_qv(x).flatten(2).chunk(2, 1)
    p, w = attention.codes_qv(codes).chunk(2, 1)
    to_x, to_codes = [], []
    for head in range(heads):
        of = slice(head * width, (head + 1) * width)
        affinity = torch.einsum("bcn,bck->bnk", q[:, of], p[:, of]) / width**0.5
        to_x.append(torch.einsum("bnk,bck->bcn", affinity.softmax(2), w[:, of]))
        to_codes.append(torch.einsum("bnk,bcn->bck", affinity.softmax(1), v[:, of]))
    expected_x = attention.features_out(torch.cat(to_x, 1).unflatten(2, SPACE[3]))
    expected_codes = attention.codes_out(torch.cat(to_codes, 1))
    new_x, new_codes = attention(x, codes)

    torch.testing.assert_close(new_x, expected_x, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(new_codes, expected_codes, atol=1e-5, rtol=1e-5)


def test_codes_nobody_reads_are_not_computed():
    block = AttentionBlock(Layers(2), 6, 8, heads=2, expansion=2, returns_codes=False)
    codes = torch.randn(2, 8, 5)
    x, same = block(torch.randn(2, 6, *SPACE[2]), codes)

    assert x.shape == (2, 8, *SPACE[2])
    assert same is codes


def test_the_order_of_codes_plays_no_part():
    block = AttentionBlock(Layers(2), 8, 8, heads=2, expansion=2)
    x, codes, order = torch.randn(1, 8, *SPACE[2]), torch.randn(1, 8, 5), torch.randperm(5)
    straight, shuffled = block(x, codes), block(x, codes[..., order])

    torch.testing.assert_close(straight[0], shuffled[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(straight[1][..., order], shuffled[1], atol=1e-5, rtol=1e-5)


def test_both_streams_are_normed_by_the_mode():
    block = AttentionBlock(Layers(2, MODES), 8, 8, heads=2, expansion=2)
    torch.nn.init.normal_(block.codes_norm.scale["segmentation"])
    x, codes = torch.randn(1, 8, *SPACE[2]), torch.randn(1, 8, 5)

    assert not torch.allclose(block(x, codes, "residual")[1], block(x, codes, "segmentation")[1])


def test_fusion_keeps_shapes_and_mixes_levels():
    fusion = MapFusion((4, 8, 6), 10, heads=3, depth=2)
    maps = [torch.randn(2, channels, 5, requires_grad=True) for channels in (4, 8, 6)]
    fused = fusion(maps)

    assert [tuple(codes.shape) for codes in fused] == [(2, 4, 5), (2, 8, 5), (2, 6, 5)]
    fused[0].square().sum().backward()
    assert all(codes.grad.any() for codes in maps)
