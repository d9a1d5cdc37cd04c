from dataclasses import replace

import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.networks.cyclegan.config import PatchDiscriminatorConfig
from medsearch.networks.cyclegan.discriminator import PatchDiscriminator
from medsearch.networks.cyclegan.layers import BlurDown


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
