import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.phantoms.grids import Box, block_mean, box_affine, box_shape, brain_grid, into_box


@pytest.mark.parametrize(("spacing", "shape"), [(1.0, (240, 240, 155)), (2.0, (120, 120, 78)), (4.0, (60, 60, 39))])
def test_the_box_is_that_of_brats(spacing: float, shape: tuple[int, int, int]) -> None:
    assert box_shape(spacing) == shape


def test_the_affine_is_that_of_brats() -> None:
    np.testing.assert_array_equal(box_affine(1.0), [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize("spacing", [1.0, 2.0, 4.0])
def test_affine_and_head_coordinates_agree(spacing: float) -> None:
    """Both run along the same lines, a constant shift apart, whatever the spacing."""
    grid = brain_grid(spacing)
    for axis in range(3):
        indices = grid.first[axis] + np.arange(grid.shape[axis])
        world = box_affine(spacing)[axis, axis] * indices + box_affine(spacing)[axis, 3]
        shift = world - grid.axes[axis]
        np.testing.assert_allclose(shift, (-119.5, 136.0, 72.0)[axis], atol=1e-4)


@given(spacing=st.sampled_from([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0]))
def test_the_midline_lies_between_the_middle_voxels(spacing: float) -> None:
    grid = brain_grid(spacing)
    assert grid.first[0] >= 0
    assert grid.first[0] + grid.shape[0] <= box_shape(spacing)[0]
    if 240 / spacing % 2 == 0:
        middle = box_shape(spacing)[0] // 2 - grid.first[0]
        assert grid.axes[0][middle - 1] == pytest.approx(spacing / 2, abs=1e-3)
        assert grid.axes[0][middle] == pytest.approx(-spacing / 2, abs=1e-3)


def test_a_finer_grid_covers_the_same_part() -> None:
    grid = brain_grid(4.0)
    finer = grid.finer(2)
    for coarse, fine in zip(grid.axes, finer.axes, strict=True):
        np.testing.assert_allclose(fine.reshape(-1, 2).mean(axis=1), coarse, atol=1e-4)


def test_means_over_blocks() -> None:
    array = np.arange(2 * 4 * 4 * 4, dtype=np.float32).reshape(2, 4, 4, 4)
    means = block_mean(array, 2)
    assert means.shape == (2, 2, 2, 2)
    assert means[1, 0, 1, 1] == array[1, :2, 2:, 2:].mean()
    np.testing.assert_array_equal(block_mean(array, 1), array)


def test_into_box_puts_voxels_where_they_belong() -> None:
    grid = brain_grid(8.0)
    box = into_box(np.ones(grid.shape, np.uint8), grid)
    assert box.shape == box_shape(8.0)
    assert np.argwhere(box).min(axis=0).tolist() == list(grid.first)
    assert box.sum() == np.prod(grid.shape)


steps = st.tuples(*[st.sampled_from([-2.0, -0.41, 0.5, 1.5])] * 3)


def test_a_box_lies_around_its_middle() -> None:
    box = Box.around((1.0, -2.0, 3.0), (10, 8, 6), (-1.0, 2.0, 1.5))
    assert box.shape == (10, 4, 4)
    np.testing.assert_allclose([axis.mean() for axis in box.axes], (1, -2, 3), atol=1e-6)
    assert box.axes[0][0] > box.axes[0][-1]
    np.testing.assert_allclose(box.voxel_ml, 3e-3)


@given(steps)
def test_affine_and_axes_say_the_same(steps: tuple[float, float, float]) -> None:
    box = Box.around((5.0, 6.0, 7.0), (20, 20, 20), steps)
    index = tuple(size - 1 for size in box.shape)
    np.testing.assert_allclose((box.affine @ [*index, 1])[:3], [axis[-1] for axis in box.axes], atol=1e-4)


@given(steps, st.tuples(*[st.integers(1, 3)] * 3))
def test_a_finer_box_covers_the_same_place(steps: tuple[float, float, float], factors: tuple[int, int, int]) -> None:
    box = Box.around((0.0, 0.0, 0.0), (12, 10, 8), steps)
    for coarse, fine, factor in zip(box.axes, box.finer(factors).axes, factors, strict=True):
        np.testing.assert_allclose(fine.reshape(-1, factor).mean(axis=1), coarse, atol=1e-4)


def test_layers_are_parts_of_the_box() -> None:
    box = Box.around((0.0, 0.0, 0.0), (4, 4, 9), (1.0, 1.0, -1.0))
    parts = [box.layers(0, 4).axes[2], box.layers(4, 8).axes[2], box.layers(8, 12).axes[2]]
    np.testing.assert_allclose(np.concatenate(parts), box.axes[2])
