import numpy as np
import pytest
import torch
from torch import nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.attention import Attention, captured, confidence, heat, most_confident
from medsearch.methods.modatts.networks.config import MedformerConfig, TransUNetConfig
from medsearch.methods.modatts.networks.layers import Layers
from medsearch.methods.modatts.networks.medformer import (
    CommonDecoder,
    MedformerEncoder,
    SeparateDecoders,
    SharedDecoder,
)
from medsearch.methods.modatts.networks.semantic_maps import BidirectionalAttention
from medsearch.methods.modatts.networks.transformer import TransformerLayer
from medsearch.methods.modatts.networks.transunet import TransUNetEncoder

SEMI = MedformerConfig.at("tiny", "semi")
IMAGE = (24, 40, 16)


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)


def attention(*heads: list[list[float]], space: tuple[int, ...] = (1, 2)) -> Attention:
    return Attention("layer", torch.tensor(heads), space)


def test_confidence_is_the_mean_over_queries_of_the_greatest_weight() -> None:
    weights = torch.tensor([[[0.9, 0.1], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    assert confidence(weights).tolist() == pytest.approx([(0.9 + 0.5) / 2, 0.5])


def test_the_most_confident_heads_come_first_by_their_mean_over_images() -> None:
    sure, unsure, torn = [[1.0, 0.0]], [[0.5, 0.5]], [[0.7, 0.3]]
    one = [attention(unsure, torn), attention(sure, unsure)]
    other = [attention(unsure, torn), attention(unsure, unsure)]
    found = most_confident([one, other], 3)
    assert [(head.place, head.head) for head in found][:2] == [(1, 0), (0, 1)]
    assert [head.confidence for head in found] == pytest.approx([0.75, 0.7, 0.5])
    assert str(found[0]) == "layer 2, head 1: 0.75"
    assert most_confident([], 3) == []


def test_heat_is_the_mean_over_queries_laid_over_the_image() -> None:
    looked = attention([[0.2, 0.8], [0.4, 0.6]])
    whole = heat(looked, 0, (2, 4))
    assert whole.shape == (2, 4)
    assert whole[0].tolist() == pytest.approx([0.3, 0.4, 0.6, 0.7])


def test_heat_of_a_volume_keeps_its_axes() -> None:
    weights = torch.zeros(1, 1, 2 * 3 * 4)
    weights[0, 0, 1 * 12 + 2 * 4 + 3] = 1
    whole = heat(Attention("layer", weights, (2, 3, 4)), 0, (2, 3, 4))
    assert np.unravel_index(whole.argmax(), whole.shape) == (1, 2, 3)


def test_what_a_transformer_layer_keeps_to_itself_is_what_it_does() -> None:
    layer, x = TransformerLayer(8, heads=2, mlp=8), torch.randn(3, 5, 8)
    values = layer._heads(x)[2]
    looked = layer.attention(x)
    assert looked.sum(3).allclose(torch.ones(3, 2, 5))
    middle = x + layer.out((looked @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(
        layer(x), middle + layer.mlp_out(nn.functional.gelu(layer.mlp_in(layer.mlp_norm(middle))))
    )


def test_what_codes_look_at_is_what_updates_them() -> None:
    layer = BidirectionalAttention(Layers(3), 6, 8, heads=2, returns_codes=True)
    x, codes = torch.randn(1, 6, 4, 6, 2), torch.randn(1, 8, 5)
    looked = layer.attention(x, codes)
    assert looked.shape == (1, 2, 5, 4 * 6 * 2)
    values = layer._affinity(x, codes)[1]
    torch.testing.assert_close(layer(x, codes)[1], layer.codes_out((values @ looked.transpose(2, 3)).flatten(1, 2)))


def test_every_layer_of_the_vit_is_captured_and_nothing_afterwards() -> None:
    encoder = TransUNetEncoder(TransUNetConfig.at("small")).eval()
    x = torch.randn(1, 1, 128, 128)
    before = encoder(x).tokens
    with captured(encoder) as found:
        during = encoder(x).tokens
    encoder(x)
    assert torch.equal(before, during)
    assert [(one.layer, one.space, tuple(one.weights.shape)) for one in found] == [
        (f"layers.{number}", (8, 8), (6, 64, 64)) for number in range(4)
    ]


def test_decoders_are_looked_at_where_codes_are_updated_from_space() -> None:
    """Level 3 has one block; level 2 has one too, whose codes nobody reads; the fusion of codes lies nowhere."""
    latent = MedformerEncoder(SEMI)(torch.randn(1, 1, *IMAGE))
    for decoder in (CommonDecoder(SEMI), SharedDecoder(SEMI), SeparateDecoders(SEMI)):
        with captured(decoder) as found:
            decoder(latent) if isinstance(decoder, CommonDecoder) else decoder(latent, "residual")
        ((one),) = found
        assert one.space == tuple(side // 8 for side in IMAGE)
        assert one.weights.shape == (2, 16, 3 * 5 * 2)
        assert one.weights.sum(2).allclose(torch.ones(2, 16))


def test_hooks_go_when_the_pass_fails() -> None:
    encoder = TransUNetEncoder(TransUNetConfig.at("tiny"))
    with pytest.raises(BadInput), captured(encoder):
        encoder(torch.zeros(1, 1, 3, 3))
    assert not any(module._forward_pre_hooks for module in encoder.modules())
