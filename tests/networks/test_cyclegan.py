import pytest
import torch

from medsearch.networks.cyclegan import Discriminators, Translator, Translators
from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig

SMALL = ResNetGeneratorConfig(width=4, blocks=1)


def count(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        translators, judges = Translators(ResNetGeneratorConfig()), Discriminators(PatchDiscriminatorConfig())
        assert [count(of) for of in (translators.g_st, translators.g_ts)] == [11_365_633] * 2
        assert [count(of) for of in (judges.d_s, judges.d_t)] == [2_762_689] * 2
        assert judges.d_s(torch.zeros(1, 1, 128, 128))[0].shape == (1, 1, 14, 14)


@pytest.mark.parametrize("input_addition", [False, True])
def test_images_stay_in_their_range(input_addition: bool) -> None:
    torch.manual_seed(0)
    translator = Translator(SMALL, input_addition=input_addition)
    for weight in translator.parameters():
        weight.data.mul_(40)
    y = translator(torch.rand(2, 1, 16, 16) * 2 - 1)
    assert y.shape == (2, 1, 16, 16)
    assert y.abs().max() <= 1


def test_with_input_addition_a_generator_of_zero_changes_nothing() -> None:
    translator, x = Translator(SMALL, input_addition=True), torch.rand(2, 1, 16, 16) * 2 - 1
    torch.nn.init.zeros_(translator.generator.head[1].weight)
    assert torch.equal(translator(x), x)
    torch.nn.init.constant_(translator.generator.head[1].bias, 0.5)
    torch.testing.assert_close(translator(x), (x + torch.tanh(torch.tensor(0.5))).clamp(-1, 1))


def test_both_cycles_go_through_the_right_generators() -> None:
    translators = Translators(SMALL, input_addition=True)
    for translator, adds in ((translators.g_st, 0.25), (translators.g_ts, -0.5)):
        torch.nn.init.zeros_(translator.generator.head[1].weight)
        torch.nn.init.constant_(translator.generator.head[1].bias, torch.atanh(torch.tensor(adds)).item())
    x_s, x_t = torch.zeros(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.125)
    of = translators(x_s, x_t, identity=True)
    found = {name: image.mean().item() for name, image in vars(of).items()}
    expected = {"x_st": 0.25, "x_ts": -0.375, "x_sts": -0.25, "x_tst": -0.125, "x_ss": -0.5, "x_tt": 0.375}
    assert found == pytest.approx({"x_s": 0, "x_t": 0.125, **expected}, abs=1e-6)
    assert translators(x_s, x_t).x_ss is None
