import pytest
import torch
from torch import nn

from medsearch.networks.norms import add_spectral_norm, one_estimate


def sigma(layer: nn.Conv2d) -> float:
    return float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))


def test_spectra_are_bounded_by_1_and_counts_stay() -> None:
    torch.manual_seed(0)
    inner, last = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 1, 1)
    nn.init.normal_(inner.weight, std=3.0)
    net = nn.Sequential(inner, nn.ReLU(), last)
    count = sum(p.numel() for p in net.parameters())
    free = sigma(last)
    add_spectral_norm(net, but=[last])
    for _ in range(50):
        net(torch.randn(1, 2, 5, 5))
    assert sigma(inner) == pytest.approx(1.0, abs=1e-3)
    assert sigma(last) == free
    assert sum(p.numel() for p in net.parameters()) == count


def test_one_estimate_is_made_however_often_the_layer_is_used() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 4, 3)
    add_spectral_norm(nn.Sequential(layer))
    before = layer.parametrizations.weight[0].inner._u.clone()
    with one_estimate():
        first = layer.weight
        moved = layer.parametrizations.weight[0].inner._u.clone()
        assert layer.weight is first
    assert not torch.equal(moved, before)
    assert torch.equal(layer.parametrizations.weight[0].inner._u, moved)
    layer.eval()
    _ = layer.weight
    assert torch.equal(layer.parametrizations.weight[0].inner._u, moved)  # evaluation estimates nothing


def test_spectra_are_estimated_in_full_precision() -> None:
    """Also where the networks run in bf16."""
    layer, asked = nn.Conv2d(3, 8, 3), list[bool]()
    add_spectral_norm(nn.Sequential(layer))
    layer.parametrizations.weight[0].inner.register_forward_hook(
        lambda *_: asked.append(torch.is_autocast_enabled("cpu"))
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.randn(1, 3, 5, 5)).dtype == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")
    assert asked == [False]


def test_volumes_are_normed_too() -> None:
    layer = nn.Conv3d(1, 2, 3)
    add_spectral_norm(nn.Sequential(layer))
    assert hasattr(layer, "parametrizations")
