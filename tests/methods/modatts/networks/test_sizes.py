"""Parameter counts at paper scale equal those measured on the released modules (in millions, to three decimals)."""

import pytest
import torch
from torch import nn

from medsearch.methods.modatts.networks.config import MedformerConfig, TransUNetConfig
from medsearch.methods.modatts.networks.medformer import (
    CommonDecoder,
    MedformerEncoder,
    SegmentationDecoder,
    SeparateDecoders,
    SharedDecoder,
)
from medsearch.methods.modatts.networks.transunet import CupDecoder, TransUNetEncoder
from medsearch.networks.config import DiscriminatorConfig
from medsearch.networks.discriminator import MultiScaleDiscriminator


def size(*modules: nn.Module) -> int:
    return sum(weight.numel() for module in modules for weight in module.parameters())


def millions(*modules: nn.Module) -> float:
    return round(size(*modules) / 1e6, 3)


@pytest.fixture(autouse=True)
def _without_memory():
    with torch.device("meta"):
        yield


def test_translation_stage_has_the_published_sizes():
    config = TransUNetConfig()
    encoder = TransUNetEncoder(config)
    decoder = CupDecoder(config, "image")

    assert millions(encoder) == 97.935
    assert millions(encoder.resnet) == 11.895
    assert millions(encoder.layers, encoder.norm) == 85.056
    assert round((size(encoder.embedding) + encoder.positions.numel()) / 1e6, 3) == 0.984
    assert millions(decoder) == millions(CupDecoder(config, "mask")) == 7.387
    assert round((2 * size(encoder) + 4 * size(decoder)) / 1e6, 3) == 225.419


@pytest.mark.parametrize(("dimensions", "one", "two"), [(2, 4.093, 8.186), (3, 12.261, 24.522)])
def test_discriminators_have_the_published_sizes(dimensions, one, two):
    discriminator = MultiScaleDiscriminator(DiscriminatorConfig(dimensions=dimensions))

    assert millions(discriminator) == one
    assert round(2 * size(discriminator) / 1e6, 3) == pytest.approx(two, abs=0.00101)


def test_self_supervised_segmentor_has_the_published_size():
    config = MedformerConfig.at("paper", "self")
    encoder, decoder = MedformerEncoder(config), SegmentationDecoder(config)

    assert config == MedformerConfig()
    assert millions(encoder) == 29.398
    assert millions(decoder) == 10.278
    assert millions(encoder, decoder) == 39.677


def test_semi_supervised_segmentor_has_the_published_sizes():
    config = MedformerConfig.at("paper", "semi")
    encoder, common = MedformerEncoder(config), CommonDecoder(config)
    shared, separate = SharedDecoder(config), SeparateDecoders(config)

    assert millions(encoder) == 14.879
    assert millions(common) == 3.314
    assert millions(shared) == 3.299
    assert millions(encoder, common, shared) == 21.491
    assert millions(encoder, common, separate) == 24.790


def test_switched_norms_have_the_published_number_of_parameters():
    shared = SharedDecoder(MedformerConfig.at("paper", "semi"))
    of_norms = [weight.numel() for name, weight in shared.named_parameters() if ".scale." in name or ".shift." in name]

    assert sum(of_norms) == 33_728


def test_dead_weights_of_the_released_decoder_are_counted_and_frozen():
    decoder = SegmentationDecoder(MedformerConfig())

    assert size(decoder.trunk.unreached) == 26_624
    assert all(not weight.requires_grad for weight in decoder.trunk.unreached.parameters())
    frozen = sum(weight.numel() for weight in decoder.parameters() if not weight.requires_grad)
    assert frozen == 26_624


def test_separate_decoders_share_no_weight():
    separate = SeparateDecoders(MedformerConfig.at("tiny", "semi"))
    residual, segmentation = ({id(weight) for weight in of.parameters()} for of in separate.of.values())

    assert not residual & segmentation


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("supervision", ["self", "semi"])
def test_scales_shrink_every_network(dimensions, supervision):
    segmentors = [
        size(MedformerEncoder(MedformerConfig.at(scale, supervision, dimensions)))
        for scale in ("tiny", "small", "paper")
    ]
    discriminators = [
        size(MultiScaleDiscriminator(DiscriminatorConfig.at(scale, dimensions))) for scale in ("tiny", "small", "paper")
    ]
    translators = [size(TransUNetEncoder(TransUNetConfig.at(scale))) for scale in ("tiny", "small", "paper")]

    for sizes in (segmentors, discriminators, translators):
        assert sizes[0] < sizes[1] / 4 < sizes[2] / 16
