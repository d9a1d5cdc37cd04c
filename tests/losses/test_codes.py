import pytest
import torch
from torch import Tensor

from medsearch.losses.codes import AbsenceCodes, LatentCodes, latent


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def codes(values: tuple[float, float, float]) -> Tensor:
    """One sample of three channels, of which the first two are common; one voxel."""
    return t(list(values)).view(1, 3, 1)


def test_latent_compares_common_codes_and_whole_codes() -> None:
    absence = AbsenceCodes(
        a=codes((1, 1, 1)), aa=codes((1, 3, 99)), ap=codes((1, 1, 0)), u=t([[6.0]])
    )  # aa: c differs by 2 in one of two: 1 ; ap against [c_A, u]: 6 in one of three: 2
    presence = LatentCodes(
        common_channels=2, p=codes((0, 0, 0)), pa=codes((4, 0, 99)), pp=codes((0, 3, 3)), from_a=None
    )  # pa: 2 ; pp: 2
    assert latent(presence).item() == pytest.approx(4.0)
    both = LatentCodes(common_channels=2, p=presence.p, pa=presence.pa, pp=presence.pp, from_a=absence)
    assert latent(both).item() == pytest.approx(7.0)


def test_latent_targets_are_not_detached() -> None:
    p, pa, pp = (codes(v).requires_grad_() for v in ((0, 0, 0), (4, 0, 9), (0, 3, 3)))
    latent(LatentCodes(common_channels=2, p=p, pa=pa, pp=pp, from_a=None)).backward()
    assert p.grad.flatten().tolist() == pytest.approx([-0.5, -1 / 3, -1 / 3])
    assert pa.grad.flatten().tolist() == pytest.approx([0.5, 0, 0])
