from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.metrics.surfaces import assd, hd95, surface
from tests.metrics.blobs import blob

NOTHING, ALL = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
Distance = Callable[..., float | None]
distances, forms = st.sampled_from([assd, hd95]), st.sampled_from(["pooled", "directed"])
spacings = st.tuples(*[st.sampled_from([0.41, 1.0, 4.0])] * 3)
both = pytest.mark.parametrize("distance", [assd, hd95])


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(0, 999), distances, forms, spacings)
def test_symmetric_zero_for_equal_and_scales_with_spacing(
    one: int, other: int, distance: Distance, form: str, spacing: tuple[float, float, float]
) -> None:
    prediction, truth = blob(one), blob(other)
    there, back = distance(prediction, truth, spacing, form=form), distance(truth, prediction, spacing, form=form)
    assert there == pytest.approx(back)
    assert distance(truth, truth, spacing, form=form) == 0
    double = tuple(2 * edge for edge in spacing)
    assert distance(prediction, truth, double, form=form) == pytest.approx(2 * there)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(0, 999), distances, st.tuples(*[st.integers(1, 6)] * 3))
def test_room_around_the_masks_does_not_matter(
    one: int, other: int, distance: Distance, room: tuple[int, int, int]
) -> None:
    """The crop for speed changes nothing: masks off the border score the same in a larger volume."""
    masks = [np.pad(blob(seed), 1) for seed in (one, other)]
    larger = [np.pad(mask, [(side, side + 2) for side in room]) for mask in masks]
    assert distance(*masks, 1.0) == pytest.approx(distance(*larger, 1.0), abs=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(0, 999), distances, forms, spacings)
def test_nothing_is_farther_than_the_farthest_surface_voxel(
    one: int, other: int, distance: Distance, form: str, spacing: tuple[float, float, float]
) -> None:
    from medpy.metric.binary import hd

    farthest = hd(blob(one), blob(other), voxelspacing=spacing)
    assert distance(blob(one), blob(other), spacing, form=form) <= farthest + 1e-9


@both
@pytest.mark.parametrize("form", ["pooled", "directed"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_spacing_follows_the_arrays_own_axes(axis: int, form: str, distance: Distance) -> None:
    one, other = np.zeros((5, 5, 5), bool), np.zeros((5, 5, 5), bool)
    one[2, 2, 2] = True
    other[tuple(4 if k == axis else 2 for k in range(3))] = True
    spacing = (0.5, 1.0, 3.0)
    assert distance(one, other, spacing, form=form) == pytest.approx(2 * spacing[axis])


def test_forms_differ_by_the_number_of_surface_points() -> None:
    one, other = np.zeros(6, bool), np.zeros(6, bool)
    one[0] = True
    other[[0, 3]] = True  # there: 0; back: 0 and 3
    assert assd(one, other, 1.0) == pytest.approx(3 / 3)
    assert assd(one, other, 1.0, form="directed") == pytest.approx((0 + 1.5) / 2)
    assert hd95(one, other, 1.0) == pytest.approx(0.9 * 3)  # of 0, 0, 3: a tenth before the last
    assert hd95(one, other, 1.0, form="directed") == pytest.approx(0.95 * 3)  # of 0, 3


@both
@pytest.mark.parametrize("form", ["pooled", "directed"])
def test_empty_masks(form: str, distance: Distance) -> None:
    assert distance(NOTHING, NOTHING, 1.0, form=form) == 0
    assert distance(NOTHING, ALL, 1.0, form=form) is None
    assert distance(NOTHING, ALL, 1.0, form=form, missed=350.0) == 350
    assert distance(ALL, NOTHING, 1.0, form=form, missed=350.0) is None
    assert distance(ALL, ALL, 1.0, form=form, missed=350.0) == 0


def test_surface_has_a_face_outside_or_lies_on_the_border() -> None:
    inner = np.zeros((5, 5, 5), bool)
    inner[1:4, 1:4, 1:4] = True
    for z, y, x in product(range(5), repeat=3):
        assert surface(inner)[z, y, x] == (inner[z, y, x] and (z, y, x) != (2, 2, 2))
    assert surface(ALL).sum() == 4**3 - 2**3


@both
def test_other_grids_are_refused(distance: Distance) -> None:
    with pytest.raises(BadInput, match="different grids"):
        distance(ALL, ALL[1:], 1.0)
