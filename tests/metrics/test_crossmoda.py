import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.metrics.scoring import MISSED_MM, crossmoda_assd, crossmoda_dice
from medsearch.metrics.surfaces import assd

NOTHING, SOME = np.zeros((4, 5, 6), np.uint8), np.zeros((4, 5, 6), np.uint8)
SOME[1:3, 2:4, 3:5] = 1
spacings = st.tuples(*[st.sampled_from([0.41, 1.0, 4.0])] * 3)


def ball(radius: float) -> np.ndarray:
    """A ball of `radius` voxels in the middle of a grid that it does not touch."""
    axes = np.indices((31, 31, 31)) - 15
    return (axes**2).sum(axis=0) <= radius**2


def blob(seed: int, shape: tuple[int, int, int] = (12, 10, 9)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    away = sum((axis - rng.uniform(2, size - 2)) ** 2 for axis, size in zip(np.indices(shape), shape, strict=True))
    return np.sqrt(away) + rng.uniform(-1, 1, shape) < rng.uniform(2, 4)


def test_worked_numbers_tell_the_forms_apart() -> None:
    """Measured with the sources of medpy 0.4 and 0.5.2."""
    one, other = ball(10), ball(12)
    assert crossmoda_dice(one, other) == pytest.approx(0.736442, abs=5e-7)
    assert crossmoda_assd(one, other, 1.0) == pytest.approx(1.88730, abs=5e-6)
    assert assd(one, other, 1.0) == pytest.approx(1.89094, abs=5e-6)


def test_a_number_worked_by_hand() -> None:
    """Surfaces: one voxel, and two, 3 steps of 2 mm apart: there 0; back 0 and 6, on average 3; their mean 1.5."""
    one, other = np.zeros((1, 1, 6), bool), np.zeros((1, 1, 6), bool)
    one[..., 0] = True
    other[..., [0, 3]] = True
    assert crossmoda_assd(one, other, (9.0, 9.0, 2.0)) == pytest.approx((0 + 3) / 2)
    assert crossmoda_dice(one, other) == pytest.approx(2 / 3)


@settings(max_examples=30)
@given(st.integers(0, 999), st.integers(0, 999), spacings)
def test_agrees_with_medpys_directed_distances_and_monais_dice(
    one: int, other: int, spacing: tuple[float, float, float]
) -> None:
    """medpy kept the directed distance and the Dice; MONAI's Dice is the same number in float32."""
    import torch
    from medpy.metric.binary import asd, dc
    from monai.metrics import compute_average_surface_distance, compute_dice

    found, marked = blob(one), blob(other)
    both = [asd(*pair, voxelspacing=spacing) for pair in ((found, marked), (marked, found))]
    assert crossmoda_assd(found, marked, spacing) == pytest.approx(sum(both) / 2, abs=1e-9)
    tensors = [torch.tensor(mask[None, None]) for mask in (found, marked)]
    monais = [
        float(compute_average_surface_distance(*pair, include_background=True, spacing=list(spacing)))
        for pair in (tensors, tensors[::-1])
    ]
    assert crossmoda_assd(found, marked, spacing) == pytest.approx(sum(monais) / 2, abs=1e-5)
    assert crossmoda_dice(found, marked) == pytest.approx(dc(found, marked), abs=1e-12)
    assert crossmoda_dice(found, marked) == pytest.approx(float(compute_dice(*tensors)), abs=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_spacing_follows_the_arrays_own_axes(axis: int) -> None:
    one, other = np.zeros((5, 5, 5), bool), np.zeros((5, 5, 5), bool)
    one[2, 2, 2] = True
    other[tuple(4 if k == axis else 2 for k in range(3))] = True
    assert crossmoda_assd(one, other, (0.5, 1.0, 3.0)) == pytest.approx(2 * (0.5, 1.0, 3.0)[axis])


@pytest.mark.parametrize(
    ("found", "marked", "overlap", "distance"),
    [
        (SOME, SOME, 1.0, 0.0),
        (NOTHING, SOME, 0.0, MISSED_MM),
        (NOTHING, NOTHING, 0.0, MISSED_MM),
        (SOME, NOTHING, 0.0, None),
    ],
)
def test_empty_masks(found: np.ndarray, marked: np.ndarray, overlap: float, distance: float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert crossmoda_dice(found, marked) == overlap
        assert crossmoda_assd(found, marked, 1.0) == distance
    assert MISSED_MM == 350


@pytest.mark.parametrize("found", [NOTHING, SOME])
def test_other_grids_are_refused(found: np.ndarray) -> None:
    for score in (lambda: crossmoda_dice(found, SOME[1:]), lambda: crossmoda_assd(found, SOME[1:], 1.0)):
        with pytest.raises(BadInput, match="different grids"):
            score()
