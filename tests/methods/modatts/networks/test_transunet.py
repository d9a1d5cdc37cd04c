import pytest
import torch
import torch.nn.functional as F

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.config import TransUNetConfig
from medsearch.methods.modatts.networks.transformer import TransformerLayer
from medsearch.methods.modatts.networks.transunet import (
    CupDecoder,
    ResNetV2,
    StandardisedConvolution,
    TransUNetEncoder,
    group_norm,
)

CONFIG = TransUNetConfig.at("tiny")


@pytest.fixture
def encoder():
    return TransUNetEncoder(CONFIG)


def slices(count=2):
    return torch.rand(count, 1, 64, 64) * 2 - 1


def test_features_have_the_resolutions_that_the_decoder_joins(encoder):
    features = encoder(slices())

    assert features.tokens.shape == (2, CONFIG.hidden, 4, 4)
    assert [tuple(skip.shape) for skip in features.skips] == [(2, 64, 8, 8), (2, 32, 16, 16), (2, 8, 32, 32)]


def test_paper_sizes_have_the_published_shapes():
    config = TransUNetConfig()
    with torch.device("meta"):
        features = TransUNetEncoder(config)(torch.empty(1, 1, 256, 256))
        image = CupDecoder(config, "image")(features)

    assert features.tokens.shape == (1, 768, 16, 16)
    assert [tuple(skip.shape[1:]) for skip in features.skips] == [(512, 32, 32), (256, 64, 64), (64, 128, 128)]
    assert image.shape == (1, 1, 256, 256)


@pytest.mark.parametrize(("output", "low"), [("image", -1.0), ("mask", 0.0)])
def test_outputs_lie_in_the_range_of_what_they_are(encoder, output, low):
    decoder = CupDecoder(CONFIG, output)
    torch.nn.init.normal_(decoder.head.weight, std=5)
    y = decoder(encoder(slices()))

    assert y.shape == (2, 1, 64, 64)
    assert low <= y.min() < low + 0.1
    assert 0.9 < y.max() <= 1


def test_in_evaluation_a_slice_does_not_see_its_batch(encoder):
    decoder = CupDecoder(CONFIG, "image")
    decoder(encoder(slices(8)))  # moves the running statistics
    x = slices(3)
    encoder.eval()
    decoder.eval()

    with torch.no_grad():
        torch.testing.assert_close(decoder(encoder(x))[:1], decoder(encoder(x[:1])), atol=1e-5, rtol=1e-4)


def test_every_weight_learns(encoder):
    decoder = CupDecoder(CONFIG, "mask")
    (decoder(encoder(slices())) * torch.randn(2, 1, 64, 64)).sum().backward()

    still = [name for of in (encoder, decoder) for name, weight in of.named_parameters() if not weight.grad.any()]
    assert still == []


def test_one_decoder_leaves_the_other_alone(encoder):
    image, mask = CupDecoder(CONFIG, "image"), CupDecoder(CONFIG, "mask")
    features = encoder(slices())
    mask(features)
    image(features).sum().backward()

    assert all(weight.grad is None for weight in mask.parameters())
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_a_slice_of_another_size_is_refused_with_the_remedy(encoder):
    with pytest.raises(BadInput, match=r"got 1x64x80; make network.input_size"):
        encoder(torch.zeros(1, 1, 64, 80))


def test_dropout_acts_only_in_training():
    encoder = TransUNetEncoder(TransUNetConfig(**{**vars(CONFIG), "dropout": 0.5}))
    x = slices()

    assert not torch.equal(encoder(x).tokens, encoder(x).tokens)
    encoder.eval()
    assert torch.equal(encoder(x).tokens, encoder(x).tokens)


def test_tokens_know_their_position(encoder):
    torch.nn.init.normal_(encoder.positions)
    moved = encoder(slices()).tokens
    torch.nn.init.zeros_(encoder.positions)

    assert not torch.allclose(moved, encoder(slices()).tokens)


def test_kernels_are_standardised_whatever_their_scale():
    convolution = StandardisedConvolution(3, 5, kernel=3)
    x = torch.randn(1, 3, 8, 8)
    weight = convolution.weight.detach()
    variance, mean = torch.var_mean(weight, (1, 2, 3), keepdim=True, unbiased=False)
    expected = F.conv2d(x, (weight - mean) / torch.sqrt(variance + 1e-5), padding=1)

    torch.testing.assert_close(convolution(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (1024, 32), (32, 16), (8, 4), (6, 3), (2, 1), (1, 1)])
def test_groups_are_as_published_and_fewer_in_narrow_networks(channels, groups):
    assert group_norm(channels).num_groups == groups


@pytest.mark.parametrize("side", [32, 64, 96, 256])
def test_the_pooled_skip_is_padded_by_one_row_and_column(side):
    quarter = ResNetV2(4, (1, 1, 1))(torch.randn(1, 3, side, side))[1][1]

    assert quarter.shape[2:] == (side // 4, side // 4)
    assert not quarter[..., -1, :].any()
    assert not quarter[..., -1].any()
    assert quarter[..., :-1, :-1].any()


def test_transformer_layer_is_permutation_equivariant():
    layer, x = TransformerLayer(12, heads=3, mlp=24), torch.randn(2, 7, 12)
    order = torch.randperm(7)

    torch.testing.assert_close(layer(x)[:, order], layer(x[:, order]), atol=1e-5, rtol=1e-5)


def test_transformer_layer_equals_pytorchs():
    ours = TransformerLayer(12, heads=3, mlp=24)
    theirs = torch.nn.TransformerEncoderLayer(12, 3, 24, 0.0, "gelu", batch_first=True, norm_first=True)
    parts = ("attention_norm", "out", "mlp_norm", "mlp_in", "mlp_out")
    of_theirs = ("norm1", "self_attn.out_proj", "norm2", "linear1", "linear2")
    for mine, other in zip(parts, of_theirs, strict=True):
        theirs.get_submodule(other).load_state_dict(ours.get_submodule(mine).state_dict())
    theirs.self_attn.load_state_dict({"in_proj_weight": ours.qkv.weight, "in_proj_bias": ours.qkv.bias}, strict=False)
    x = torch.randn(2, 5, 12)

    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)
