import pytest
import torch
from torch import nn

from medsearch.core.recipes import override
from medsearch.methods.mgenseg import GENSEG, MGENSEG
from medsearch.methods.mgenseg.networks import Discriminators, MGenSegNet
from medsearch.methods.mgenseg.recipe import SegmentationRecipe

PLAIN = override(SegmentationRecipe(), {"network.spectral_norm": False, "discriminator.spectral_norm": False})
"""As large as with spectral norm, and built faster."""


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_paper_sized_networks_have_the_released_ones_parameters() -> None:
    """G 19.904M, D 43.618M."""
    with torch.device("meta"):
        net, judges = MGenSegNet(PLAIN), Discriminators(PLAIN)
    assert count(net) == 19_904_320
    assert count(judges) == 6 * 7_269_663 == 43_617_978


def test_unshared_latent_spaces_cost_two_encoders() -> None:
    with torch.device("meta"):
        net = MGenSegNet(override(PLAIN, {"latent": "separate"}))
    assert count(net) == 19_904_320 + 2 * 1_536_510


def test_genseg_alone_is_half_without_its_translator() -> None:
    recipe = override(GENSEG.recipe.segmentation, {"network.spectral_norm": False})
    with torch.device("meta"):
        net = MGenSegNet(recipe)
    assert count(net) == 1_536_510 + 1_619_271 + 4_900_628


@pytest.mark.parametrize(("scale", "size"), [("tiny", (60, 30)), ("small", (120, 60)), ("paper", (240, 120))])
def test_every_scale_fits_its_slices(scale: str, size: tuple[int, int]) -> None:
    plain = {"network.spectral_norm": False, "discriminator.spectral_norm": False}
    recipe = override(MGENSEG.at(scale).recipe.segmentation, plain)  # type: ignore[arg-type]
    with torch.device("meta"):
        net, judges, x = MGenSegNet(recipe), Discriminators(recipe), torch.empty(1, 1, *size)
        translated = net.translate(net.encode_for_translation(x, "source"), "source")
        assert translated.shape == net.of("target")(translated).shape == x.shape
        scores = judges.modality["target"](translated)
    assert len(scores) == recipe.discriminator.scales
    assert all(score.numel() for score in scores)


def test_patches_of_a_hemisphere() -> None:
    with torch.device("meta"):
        scores = Discriminators(PLAIN).absence["source"](torch.empty(1, 1, 240, 120))
    assert [tuple(score.shape[2:]) for score in scores] == [(15, 7), (7, 3), (4, 1)]
