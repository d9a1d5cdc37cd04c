"""The body and the abdomen's slices, against what is known of phantoms, and on a real CT."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from medsearch.core.errors import BadInput
from medsearch.imaging.abdomen import BodyRule, Region, RegionRule, abdominal_region, body_mask
from tests.cohorts import abdomens

PEOPLE = [(kind, number) for kind, count in abdomens.KINDS.items() for number in range(count)]
MM = (5.0, 4.0, 4.0)


def seen(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The HU and the body of a phantom, superior to inferior."""
    scan = abdomens.scan(kind, number)
    hu = abdomens.stack(next(iter(scan.images.values())))
    return hu, body_mask(hu, abdomens.mm(scan))


@pytest.mark.parametrize(("kind", "number"), PEOPLE)
def test_the_region_is_the_phantom_s(kind: str, number: int) -> None:
    """It begins with the first slice of lungs, and ends between the last with plenty and the last with any gas."""
    scan = abdomens.scan(kind, number)
    hu, body = seen(kind, number)
    area = body.sum(axis=(1, 2)) * scan.spacing[0] * scan.spacing[1]
    lungs, gas = scan.lung[::-1] / area, scan.gas[::-1] / area
    region = abdominal_region(hu, body, abdomens.mm(scan)[0])
    assert region.found
    assert abs(region.first - np.flatnonzero(lungs > 0.08)[0]) <= 1
    assert np.flatnonzero(gas > 0.005)[-1] - 1 <= region.last <= np.flatnonzero(gas > 0)[-1] + 1


@pytest.mark.parametrize(("kind", "number"), PEOPLE)
def test_the_body_holds_its_air_and_leaves_out_the_table(kind: str, number: int) -> None:
    scan = abdomens.scan(kind, number)
    hu, body = seen(kind, number)
    assert ndimage.label(body)[1] == 1
    air = (scan.lung.sum() + scan.gas.sum()) / (scan.spacing[0] * scan.spacing[1])
    assert ((hu < -500) & body).sum() == pytest.approx(air, rel=0.15)
    dark = (hu > -500) & ~body
    assert dark.sum() > 0, "there is a table"
    assert not body[:, [0, -1]].any()
    assert not body[..., [0, -1]].any()


def test_the_same_body_is_found_in_both_phases() -> None:
    scan = abdomens.scan("paired", 0)
    plain, agent = (body_mask(abdomens.stack(image), abdomens.mm(scan)) for image in scan.images.values())
    assert (plain != agent).sum() < 0.01 * plain.sum()


def block(tissue: int, slices: int = 10) -> np.ndarray:
    hu = np.full((slices, 30, 30), -1000.0)
    hu[:, 5:25, 5:25] = tissue
    return hu


def test_what_is_not_found_is_said() -> None:
    hu = block(40)
    body = body_mask(hu, MM)
    assert body.sum() >= 0.95 * 10 * 400
    assert abdominal_region(hu, body, 30.0) == Region(0, 9, lungs=False, bowel=False)
    hu[2:5, 8:22, 8:22] = -850
    assert abdominal_region(hu, body_mask(hu, MM), 30.0) == Region(2, 9, lungs=True, bowel=False)
    hu[7, 14:17, 14:17] = -990
    region = abdominal_region(hu, body_mask(hu, MM), 30.0)
    assert (region, region.found) == (Region(2, 7, lungs=True, bowel=True), True)
    assert not abdominal_region(hu[5:7], body_mask(hu[5:7], MM), 30.0).found


def test_the_lungs_bases_are_no_bowel() -> None:
    hu = block(40)
    hu[2:5, 8:22, 8:22] = -850
    hu[5:7, 14:17, 14:17] = -850
    body = body_mask(hu, MM)
    assert abdominal_region(hu, body, 30.0) == Region(2, 9, lungs=True, bowel=False)
    assert abdominal_region(hu, body, 30.0, RegionRule(bases=0)) == Region(2, 6, lungs=True, bowel=True)
    assert abdominal_region(hu, body, 60.0) == Region(2, 6, lungs=True, bowel=True)
    assert abdominal_region(hu, body, 1.0) == Region(2, 9, lungs=True, bowel=False), "the bases go beyond the image"


def test_air_alone_has_no_body() -> None:
    hu = np.full((3, 10, 10), -1000)
    assert not body_mask(hu, MM).any()
    assert abdominal_region(hu, body_mask(hu, MM), 5.0) == Region(0, 2, lungs=False, bowel=False)


@given(low=st.integers(0, 9), high=st.integers(0, 9))
def test_gas_of_the_lungs_is_no_bowel(low: int, high: int) -> None:
    low, high = sorted((low, high))
    hu = block(40)
    hu[low : high + 1, 8:22, 8:22] = -850
    region = abdominal_region(hu, body_mask(hu, MM), 5.0)
    assert (region.first, region.bowel) == (low, False)


def test_every_knob_counts() -> None:
    hu = block(40)
    hu[1:3, 8:22, 8:22] = -700
    hu[6, 14:17, 14:17] = -990
    body = body_mask(hu, MM)
    usual = abdominal_region(hu, body, 30.0)
    for rule in (
        RegionRule(lung_below=-800),
        RegionRule(lung_share=0.9),
        RegionRule(bases=150),
        RegionRule(bowel_below=-995),
        RegionRule(bowel_share=0.1),
    ):
        assert abdominal_region(hu, body, 30.0, rule) != usual
    hu[:, 25:27] = -300
    hu[:, 26, 10] = -900
    assert (body_mask(hu, MM, BodyRule(above=-200)) != body_mask(hu, MM)).any()
    assert (body_mask(hu, MM, BodyRule(opening=13)) != body_mask(hu, MM)).any()


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(BadInput, match=r"'lung_share' .* got 1\.5"):
        RegionRule(lung_share=1.5)
    with pytest.raises(BadInput, match=r"'bases' .* got -1"):
        RegionRule(bases=-1)
    with pytest.raises(BadInput, match="must be of one size"):
        abdominal_region(block(40), np.zeros((10, 30, 29), bool), 5.0)
