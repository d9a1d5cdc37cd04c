"""Sizes are those measured of the released modules; every network takes hemispheres' slices at every scale."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET, UAGAN
from medsearch.methods.baselines.accsegnet.losses import MIND
from medsearch.methods.baselines.accsegnet.networks import AccSegNet as AccSegNetworks
from medsearch.methods.baselines.accsegnet.networks import Projections, SqueezeUNet
from medsearch.methods.baselines.accsegnet.recipe import SqueezeUNetConfig
from medsearch.methods.baselines.attent.networks import DeepLab, MapDiscriminator, Translator
from medsearch.methods.baselines.attent.recipe import DeepLabConfig, MapDiscriminatorConfig
from medsearch.methods.baselines.uagan.networks import Generator, Judge
from medsearch.methods.baselines.uagan.recipe import JudgeConfig, UAGANConfig
from medsearch.methods.baselines.unet.training import UNet
from medsearch.networks.config import GenSegConfig
from medsearch.networks.cyclegan import PatchDiscriminator, ResNetGenerator

SIZES = {"paper": (240, 120), "small": (120, 60), "tiny": (60, 30)}


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def trainable(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


COUNTS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "U-Net": (lambda: UNet(SUPERVISED_UNET.recipe.segmentation.network), 6_437_138, 6.437),
    "AccSegNet generator": (lambda: ResNetGenerator(ACCSEGNET.recipe.segmentation.generator), 11_365_633, 11.366),
    "AccSegNet segmentor": (lambda: SqueezeUNet(ACCSEGNET.recipe.segmentation.network), 13_836_137, 13.836),
    "AttENT generator": (lambda: ResNetGenerator(ATTENT.recipe.translation.generator), 11_169_642, 11.170),
    "AttENT DeepLab": (lambda: DeepLab(ATTENT.recipe.segmentation.network), 42_610_766, 42.611),
    "AttENT maps": (lambda: MapDiscriminator(ATTENT.recipe.segmentation.discriminator), 2_763_713, 2.764),
    "UAGAN generator": (lambda: Generator(UAGAN.recipe.segmentation.network), 14_951_938, 14.952),
    "UAGAN judge": (lambda: Judge(UAGAN.recipe.segmentation.discriminator, (240, 120)), 44_731_330, 44.731),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_in_the_released_modules(name: str) -> None:
    build, exactly, measured = COUNTS[name]
    with torch.device("meta"):
        found = parameters(build())
    assert found == exactly
    assert round(found / 1e6, 3) == pytest.approx(measured)


def test_what_is_trained_of_the_others() -> None:
    with torch.device("meta"):
        assert trainable(DeepLab(DeepLabConfig())) == 42_505_422  # norms' scales and shifts are frozen
        assert trainable(UNet(GenSegConfig())) == 6_437_138 - 3_391  # norms and head of the residual
        discriminators = [PatchDiscriminator(ACCSEGNET.recipe.segmentation.discriminator) for _ in range(2)]
        assert round(sum(map(parameters, discriminators)) / 1e6, 3) == 5.525
        whole = AccSegNetworks(ACCSEGNET.recipe.segmentation)
        translator = Translator(ATTENT.recipe.translation)
    mind = MIND()
    assert (parameters(mind), sum(kernel.numel() for kernel in mind.buffers())) == (0, 11_052)
    assert round((parameters(whole) + 11_052) / 1e6, 3) == 36.578  # the released count has MIND's kernels in it
    assert round(parameters(translator) / 2e6, 3) == 11.170


def test_uagan_s_official_form_has_four_levels() -> None:
    with torch.device("meta"):
        generator = Generator(UAGAN.configured(preset="official").recipe.segmentation.network)
    assert parameters(generator) == 60_442_114
    assert len(generator.encode_mask.levels) == 4


def maps(config: MapDiscriminatorConfig) -> Callable[[Tensor], Tensor]:
    network = MapDiscriminator(config)
    return lambda x: network(torch.cat([x, 1 - x], 1))


def generating(config: UAGANConfig) -> nn.Module:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = Generator(config)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            both: tuple[Tensor, Tensor] = self.network(x, torch.eye(2, device=x.device)[:1].expand(len(x), -1))
            return both

    return Both()


SEGMENTING: dict[str, Callable[[str], nn.Module]] = {
    "U-Net": lambda scale: UNet(GenSegConfig.at(scale)),
    "AccSegNet": lambda scale: SqueezeUNet(ACCSEGNET.at(scale).recipe.segmentation.network),
    "DeepLab": lambda scale: DeepLab(ATTENT.at(scale).recipe.segmentation.network),
    "UAGAN": lambda scale: generating(UAGAN.at(scale).recipe.segmentation.network),
}


@pytest.mark.parametrize("scale", SIZES)
@pytest.mark.parametrize("name", SEGMENTING)
def test_slices_come_out_as_large_as_they_went_in(name: str, scale: str) -> None:
    with torch.device("meta"):
        x = torch.zeros(2, 1, *SIZES[scale])
        found = SEGMENTING[name](scale)(x)
    assert all(y.shape == x.shape for y in (found if isinstance(found, tuple) else (found,)))


@pytest.mark.parametrize("scale", SIZES)
def test_discriminators_have_patches_left_at_every_scale(scale: str) -> None:
    with torch.device("meta"):
        x = torch.zeros(2, 1, *SIZES[scale])
        assert maps(ATTENT.at(scale).recipe.segmentation.discriminator)(x).shape[2:].numel()
        real, contrast = Judge(UAGAN.at(scale).recipe.segmentation.discriminator, SIZES[scale])(x)
    assert real.shape[2:].numel()
    assert contrast.shape == (2, 2)


@pytest.mark.parametrize("name", SEGMENTING)
def test_in_eval_mode_a_slice_does_not_see_its_batch(name: str) -> None:
    torch.manual_seed(0)
    network = SEGMENTING[name]("tiny").eval()
    x = torch.randn(3, 1, 60, 30)
    whole, alone = network(x), network(x[1:2])
    for y, one in zip(*((of if isinstance(of, tuple) else (of,)) for of in (whole, alone)), strict=True):
        torch.testing.assert_close(one, y[1:2], rtol=1e-4, atol=1e-5)


def test_judges_do_not_see_their_batch_either() -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 1, 60, 30)
    judge = Judge(UAGAN.at("tiny").recipe.segmentation.discriminator, (60, 30))
    critic = maps(ATTENT.at("tiny").recipe.segmentation.discriminator)
    torch.testing.assert_close(judge(x[1:2])[1], judge(x)[1][1:2])
    torch.testing.assert_close(critic(x[1:2]), critic(x)[1:2])


def test_what_is_too_small_is_refused() -> None:
    with pytest.raises(BadInput, match="60x30 is too small for 6 stride-2 layers"):
        Judge(JudgeConfig(width=2), (60, 30))
    with pytest.raises(BadInput, match="60x30 is too small for 5 stride-2 layers"):
        maps(MapDiscriminatorConfig(channels=(2, 2, 2, 2)))(torch.rand(1, 1, 60, 30))
    generator = ResNetGenerator(ACCSEGNET.at("tiny").recipe.segmentation.generator)
    with pytest.raises(BadInput, match="must be among the generator's encoder's, 0 to 14"):
        Projections(ACCSEGNET.recipe.segmentation.patches, generator)


def test_a_squeeze_leaves_a_channel() -> None:
    with pytest.raises(BadInput, match="reduction 5 must be from 1 to width 4"):
        SqueezeUNet(SqueezeUNetConfig(width=4, reduction=5))


def test_the_u_net_trains_nothing_of_the_residual() -> None:
    network = UNet(GenSegConfig.at("tiny"))
    network(torch.randn(1, 1, 60, 30)).sum().backward()
    for name, weight in network.named_parameters():
        assert (weight.grad is None) == ("residual" in name), name


def test_the_u_net_squeezes_where_the_released_one_does() -> None:
    """Channel or pixel, whichever leaves more; nowhere at the deepest level."""
    network = SqueezeUNet(SqueezeUNetConfig(width=4))
    squeezed = [any("of_pixels" in name for name, _ in level.named_parameters()) for level in network.down]
    assert squeezed == [True, True, True, True, False]
    assert all(any("of_pixels" in name for name, _ in level.named_parameters()) for level in network.up)


def test_deeplab_begins_with_small_weights_everywhere_as_compared() -> None:
    torch.manual_seed(0)
    units = (1, 1, 1, 1)
    compared = [DeepLab(DeepLabConfig(width=2, units=units)).to_rgb.weight.flatten() for _ in range(100)]
    assert torch.cat(compared).std().item() == pytest.approx(0.01, rel=0.15)
    torch_s = [DeepLab(DeepLabConfig(width=2, units=units, rgb_deviation=0.0)).to_rgb.weight for _ in range(100)]
    assert torch.cat(torch_s).std().item() == pytest.approx(3**-0.5, rel=0.15)  # uniform in -1..1


def test_uagan_s_discriminator_lets_less_through_its_first_layer() -> None:
    judge = Judge(JudgeConfig(width=2, layers=3), (16, 8))
    slopes = [layer.negative_slope for layer in judge.layers if isinstance(layer, nn.LeakyReLU)]
    assert slopes == [0.001, 0.01, 0.01]


def test_streams_of_uagan_attend_to_each_other() -> None:
    """The mask depends on the contrast that is asked for by way of the other stream's skips alone."""
    torch.manual_seed(0)
    network, x = Generator(UAGANConfig(width=4, levels=2, dropout=0.0)), torch.randn(1, 1, 16, 8)
    masks = [network(x, torch.eye(2)[which : which + 1])[0] for which in (0, 1)]
    assert not torch.allclose(*masks)
    for exchange in network.decode_mask.exchanges:
        nn.init.zeros_(exchange.values[0].weight)
        nn.init.zeros_(exchange.values[0].bias)
    masks = [network(x, torch.eye(2)[which : which + 1])[0] for which in (0, 1)]
    torch.testing.assert_close(*masks)


@pytest.mark.parametrize("bounded", [True, False])
def test_what_uagan_translates_is_bounded_as_compared(bounded: bool) -> None:
    torch.manual_seed(0)
    network = Generator(UAGANConfig(width=4, levels=2, bounded=bounded))
    nn.init.constant_(network.decode_image.head.bias, 2.0)
    image = network(torch.randn(1, 1, 16, 8), torch.eye(2)[:1])[1]
    assert bool((image < 1).all()) is bounded
