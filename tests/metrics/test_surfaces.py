from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.metrics.surfaces import assd, surface

NOTHING, ALL = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
spacings = st.tuples(*[st.sampled_from([0.41, 1.0, 4.0])] * 3)


def blob(seed: int, shape: tuple[int, int, int] = (14, 12, 10)) -> np.ndarray:
    """A ball of random place and size, with a rough rim; it may touch the border."""
    rng = np.random.default_rng(seed)
    distance = np.sqrt(
        sum((axis - rng.uniform(2, size - 2)) ** 2 for axis, size in zip(np.indices(shape), shape, strict=True))
    )
    return distance + rng.uniform(-1, 1, shape) < rng.uniform(2, 5)


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(0, 999), spacings)
def test_agrees_with_medpy_and_monai(one: int, other: int, spacing: tuple[float, float, float]) -> None:
    import torch
    from medpy.metric.binary import assd as medpys
    from monai.metrics import compute_average_surface_distance

    prediction, truth = blob(one), blob(other)
    ours = assd(prediction, truth, spacing)
    assert ours == pytest.approx(medpys(prediction, truth, voxelspacing=spacing), abs=1e-9)
    tensors = [torch.tensor(mask[None, None]) for mask in (prediction, truth)]
    monais = compute_average_surface_distance(*tensors, include_background=True, symmetric=True, spacing=list(spacing))
    assert ours == pytest.approx(float(monais), abs=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(0, 999))
def test_directed_form_is_the_mean_of_both_ways(one: int, other: int) -> None:
    from medpy.metric.binary import asd

    prediction, truth = blob(one), blob(other)
    both = (asd(prediction, truth) + asd(truth, prediction)) / 2
    assert assd(prediction, truth, 1.0, form="directed") == pytest.approx(both, abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["pooled", "directed"]), spacings)
def test_symmetric_zero_for_equal_and_scales_with_spacing(
    one: int, other: int, form: str, spacing: tuple[float, float, float]
) -> None:
    prediction, truth = blob(one), blob(other)
    there, back = assd(prediction, truth, spacing, form=form), assd(truth, prediction, spacing, form=form)
    assert there == pytest.approx(back)
    assert assd(truth, truth, spacing, form=form) == 0
    double = tuple(2 * edge for edge in spacing)
    assert assd(prediction, truth, double, form=form) == pytest.approx(2 * there)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(0, 999), st.tuples(*[st.integers(1, 6)] * 3))
def test_room_around_the_masks_does_not_matter(one: int, other: int, room: tuple[int, int, int]) -> None:
    """The crop for speed changes nothing: masks off the border score the same in a larger volume."""
    masks = [np.pad(blob(seed), 1) for seed in (one, other)]
    larger = [np.pad(mask, [(side, side + 2) for side in room]) for mask in masks]
    assert assd(*masks, 1.0) == pytest.approx(assd(*larger, 1.0), abs=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_spacing_follows_the_arrays_own_axes(axis: int) -> None:
    one, other = np.zeros((5, 5, 5), bool), np.zeros((5, 5, 5), bool)
    one[2, 2, 2] = True
    other[tuple(4 if k == axis else 2 for k in range(3))] = True
    spacing = (0.5, 1.0, 3.0)
    assert assd(one, other, spacing) == pytest.approx(2 * spacing[axis])


def test_forms_differ_by_the_number_of_surface_points() -> None:
    one, other = np.zeros(6, bool), np.zeros(6, bool)
    one[0] = True
    other[[0, 3]] = True  # there: 0; back: 0 and 3
    assert assd(one, other, 1.0) == pytest.approx(3 / 3)
    assert assd(one, other, 1.0, form="directed") == pytest.approx((0 + 1.5) / 2)


def test_empty_masks() -> None:
    assert assd(NOTHING, NOTHING, 1.0) == 0
    assert assd(NOTHING, ALL, 1.0) is None
    assert assd(NOTHING, ALL, 1.0, missed=350.0) == 350
    assert assd(ALL, NOTHING, 1.0, missed=350.0) is None


def test_surface_has_a_face_outside_or_lies_on_the_border() -> None:
    inner = np.zeros((5, 5, 5), bool)
    inner[1:4, 1:4, 1:4] = True
    for z, y, x in product(range(5), repeat=3):
        assert surface(inner)[z, y, x] == (inner[z, y, x] and (z, y, x) != (2, 2, 2))
    assert surface(ALL).sum() == 4**3 - 2**3


def test_other_grids_are_refused() -> None:
    with pytest.raises(BadInput, match="different grids"):
        assd(ALL, ALL[1:], 1.0)
