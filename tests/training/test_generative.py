"""Eqs. 5.6-5.10, one image at a time, against the joined passes; and mode dropping."""

from dataclasses import replace

import pytest
import torch

from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.training.generative import codes_found_again, diversity, from_both, from_presence
from medsearch.training.runtime import Runtime
from tests.micro import RECIPE

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


@pytest.fixture(params=["shared", "separate"])
def net(request: pytest.FixtureRequest) -> Segmentor:
    torch.manual_seed(0)
    return Segmentor(replace(RECIPE.segmentation, decoders=request.param))


@pytest.fixture
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 1, 8, 16, 8).clamp(-1, 1), torch.randn(3, 1, 8, 16, 8).clamp(-1, 1)


def test_equations_one_image_at_a_time(net: Segmentor, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    x_p, x_a = crops
    codes = net.encoder(torch.cat(crops))
    u = torch.randn_like(codes.unique[2:])
    p, a = from_both(net, x_p, x_a=x_a, codes=codes, u=u)
    for index in range(2):
        code = net.encoder(x_p[index : index + 1])
        x_pa, delta = net.common(code), net.decoder(code, "residual")
        torch.testing.assert_close(p.x_pa[index : index + 1], x_pa, **CLOSE)
        torch.testing.assert_close(p.delta_pp[index : index + 1], delta, **CLOSE)
        torch.testing.assert_close(p.x_pp[index : index + 1], x_pa + delta, **CLOSE)
    for index in range(3):
        code = net.encoder(x_a[index : index + 1])
        x_aa = net.common(code)
        mixed = replace(code, code=torch.cat([code.common, u[index : index + 1]], 1))
        torch.testing.assert_close(a.x_aa[index : index + 1], x_aa, **CLOSE)
        torch.testing.assert_close(a.x_ap[index : index + 1], x_aa + net.residual(mixed), **CLOSE)


def test_presence_alone_is_the_first_half_of_both(net: Segmentor, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    x_p, x_a = crops
    codes = net.encoder(torch.cat(crops))
    p, _ = from_both(net, x_p, x_a=x_a, codes=codes, u=torch.randn_like(codes.unique[2:]))
    alone = from_presence(net, x_p, net.encoder(x_p))
    torch.testing.assert_close(vars(alone), vars(p), **CLOSE)


def test_the_common_code_does_not_see_the_unique_one(net: Segmentor, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    codes = net.encoder(crops[0])
    other = codes.with_unique(torch.randn_like(codes.unique))
    torch.testing.assert_close(net.common(codes), net.common(other))
    assert not torch.allclose(net.residual(codes), net.residual(other))


def test_codes_are_those_of_the_generated_images(net: Segmentor, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    x_p, x_a = crops
    codes = net.encoder(torch.cat(crops))
    u = torch.randn_like(codes.unique[2:])
    p, a = from_both(net, x_p, x_a=x_a, codes=codes, u=u)
    found = codes_found_again(net, codes, p, a)
    expected = {"pa": p.x_pa, "pp": p.x_pp}
    for name, image in expected.items():
        torch.testing.assert_close(getattr(found, name), net.encoder(image).code, **CLOSE)
    for name, image in {"aa": a.x_aa, "ap": a.x_ap}.items():
        torch.testing.assert_close(getattr(found.from_a, name), net.encoder(image).code, **CLOSE)
    torch.testing.assert_close(found.p, net.encoder(x_p).code, **CLOSE)
    torch.testing.assert_close(found.from_a.a, net.encoder(x_a).code, **CLOSE)
    assert found.from_a.u is u
    assert found.common_channels == 6
    assert codes_found_again(net, codes[:2], p, None).from_a is None


def test_residual_and_segmentation_share_weights_or_do_not() -> None:
    shared, separate = (
        Segmentor(replace(RECIPE.segmentation, decoders=decoders)) for decoders in ("shared", "separate")
    )
    gradients = {}
    for name, net in (("shared", shared), ("separate", separate)):
        net.segment(net.encoder(torch.randn(1, 1, 8, 16, 8))).sum().backward()
        before = {key for key, parameter in net.decoder.named_parameters() if parameter.grad is not None}
        net.zero_grad(set_to_none=True)
        net.residual(net.encoder(torch.randn(1, 1, 8, 16, 8))).sum().backward()
        after = {key for key, parameter in net.decoder.named_parameters() if parameter.grad is not None}
        gradients[name] = before & after
    assert any("convolution" in key for key in gradients["shared"])
    assert not any("norm" in key and ("scale" in key or "shift" in key) for key in gradients["shared"])
    assert not any("heads" in key for key in gradients["shared"])
    assert gradients["separate"] == set()


def test_a_reference_has_the_variants_segmentor_without_the_rest() -> None:
    whole, reference = Segmentor(RECIPE.segmentation), Segmentor(replace(RECIPE.segmentation, supervision="source"))
    names = {name for name, _ in whole.named_parameters()}
    assert {name for name, _ in reference.named_parameters()} == {n for n in names if not n.startswith("common.")}


def test_a_2d_network_segments_a_volume_slice_by_slice() -> None:
    torch.manual_seed(0)
    flat = replace(RECIPE.segmentation, network=replace(RECIPE.segmentation.network, dimensions=2))
    net, x = Segmentor(flat), torch.randn(2, 1, 70, 16, 8)
    found = predict(net, x, Runtime())
    assert found.shape == x.shape
    for index, z in ((0, 0), (0, 69), (1, 33)):
        torch.testing.assert_close(found[index, :, z], net(x[index : index + 1, :, z])[0].detach(), **CLOSE)
    one = predict(net, x[:, :, 5], Runtime())
    torch.testing.assert_close(one, found[:, :, 5], **CLOSE)


def residuals(*maps: list[float]) -> torch.Tensor:
    """One image of three pixels under several codes."""
    return torch.tensor(maps, dtype=torch.float32).view(len(maps), 1, 1, 1, 3)


def test_diversity_is_0_where_codes_do_not_matter_and_1_where_tumours_never_meet() -> None:
    assert diversity(residuals([1, 2, 0], [1, 2, 0], [1, 2, 0])).tolist() == [0.0]
    assert diversity(residuals([1, 0, 0], [0, 2, 0], [0, 0, 3])).tolist() == [1.0]
    assert diversity(residuals([1, 0, 0], [1, 1, 0])).tolist() == [pytest.approx(1 / 3)]
    assert diversity(residuals([1, 0, 0], [-1, 0, 0])).tolist() == [1.0]


def test_no_tumour_at_all_is_no_diversity() -> None:
    """Faint residuals that differ are still nothing."""
    assert diversity(residuals([1e-5, 0, 0], [0, 1e-5, 0])).tolist() == [0.0]
