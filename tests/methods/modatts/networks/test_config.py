import subprocess
import sys

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.recipes import fingerprint, override
from medsearch.methods.modatts.networks.config import MedformerConfig, TransUNetConfig
from medsearch.networks.config import DiscriminatorConfig


def test_sizes_are_known_without_torch():
    code = "import sys, medsearch.methods.modatts.networks.config; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paper_is_the_default():
    assert TransUNetConfig.at("paper") == TransUNetConfig()
    assert MedformerConfig.at("paper", "self") == MedformerConfig()
    assert DiscriminatorConfig.at("paper", 3) == DiscriminatorConfig(dimensions=3)


def test_variants_and_dimensions_are_told_apart():
    configs = [
        MedformerConfig.at(scale, supervision, dimensions)
        for scale in ("tiny", "small", "paper")
        for supervision in ("self", "semi")
        for dimensions in (2, 3)
    ]
    assert len({fingerprint(config) for config in configs}) == len(configs)


def test_the_bottleneck_splits_three_to_one():
    config = MedformerConfig.at("paper", "semi")

    assert (config.common_channels, config.unique_channels) == (192, 64)
    assert MedformerConfig().unique_channels == 0


def test_skips_and_grid_follow_the_released_sizes():
    config = TransUNetConfig()

    assert config.skips == (512, 256, 64)
    assert config.grid == 16


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"input_size": 100}, "'input_size' takes an integer among 16, 32, 48, ..., got 100"),
        ({"heads": 7}, "7 heads"),
        ({"units": (3, 0, 9)}, "'units' takes 3 integers of 1 or more, got (3, 0, 9)"),
    ],
)
def test_transunet_refuses_what_fits_no_network(change, named):
    with pytest.raises(BadInput, match=named.replace("(", r"\(").replace(")", r"\)")):
        override(TransUNetConfig(), change).check()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"attentions": (0, 4, 6)}, "attentions"),
        ({"decoder_convs": (2, 0)}, "decoder_convs"),
        ({"scales": (2, 2, 2, 0)}, "scales"),
        ({"heads": (4, 8, 1000)}, "heads"),
        ({"fusion_heads": 1000}, "fusion_heads"),
        ({"unique_fraction": 1.0}, "unique_fraction"),
        ({"unique_fraction": 0.0001}, "unique_fraction"),
        ({"unique_fraction": -0.5}, "unique_fraction"),
    ],
)
def test_medformer_refuses_what_fits_no_network(change, named):
    with pytest.raises(BadInput, match=named):
        override(MedformerConfig(), change).check()


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_every_preset_fits(scale):
    TransUNetConfig.at(scale).check()
    for dimensions in (2, 3):
        for supervision in ("self", "semi"):
            MedformerConfig.at(scale, supervision, dimensions).check()


@pytest.mark.parametrize(
    ("change", "named"), [({"channels": ()}, "channels"), ({"kernel": 1}, "kernel"), ({"scales": 0}, "scales")]
)
def test_discriminator_refuses_what_fits_no_network(change, named):
    with pytest.raises(BadInput, match=named):
        override(DiscriminatorConfig(), change)
