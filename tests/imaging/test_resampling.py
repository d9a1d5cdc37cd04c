from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.imaging.image_files import Volume
from medsearch.imaging.resampling import image_on_grid, mask_on_grid

FILE = Path("case/case_t1.nii.gz")


def lps(array: np.ndarray, *spacing: float) -> Volume:
    """A volume whose array (x, y, z) lies in the orientation of BraTS files."""
    x, y, z = spacing if len(spacing) == 3 else spacing * 3
    return Volume(array.astype(np.float32), np.diag([-x, -y, z, 1.0]), FILE)


def random_array(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 2, shape)


def test_same_grid_is_only_turned() -> None:
    array = random_array(0, (3, 4, 5))
    on_grid = image_on_grid(lps(array, 1.0), (1.0,) * 3)
    np.testing.assert_array_equal(on_grid.values, np.transpose(array, (2, 1, 0)).astype(np.float32))
    assert on_grid.brain.all()


@given(st.sampled_from(list(permutations(range(3)))), st.sampled_from(list(product((1, -1), repeat=3))))
def test_orientation_of_the_file_does_not_matter(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    array, sizes = random_array(1, (6, 4, 8)), np.array([1.0, 2.0, 0.5])
    straight = np.diag([-sizes[0], -sizes[1], sizes[2], 1.0])
    turned = np.flip(np.transpose(array, order), [axis for axis in range(3) if signs[axis] < 0])
    affine = np.eye(4)
    affine[:3, :3] = straight[:3, :3][:, order] * signs
    expected = image_on_grid(Volume(array.astype(np.float32), straight, FILE), (2.0,) * 3)
    actual = image_on_grid(Volume(turned.astype(np.float32), affine, FILE), (2.0,) * 3)
    np.testing.assert_allclose(actual.values, expected.values, rtol=1e-6)


@given(st.integers(0, 99), st.sampled_from([1, 2, 4]), st.tuples(*[st.integers(1, 4)] * 3))
def test_whole_factors_are_block_means(seed: int, factor: int, blocks: tuple[int, int, int]) -> None:
    array = random_array(seed, tuple(size * factor for size in blocks))
    x, y, z = blocks
    means = array.reshape(x, factor, y, factor, z, factor).mean((1, 3, 5))
    on_grid = image_on_grid(lps(array, 1.0), (float(factor),) * 3)
    np.testing.assert_allclose(on_grid.values, means.transpose(2, 1, 0), rtol=1e-5)


@given(st.integers(0, 99), st.floats(1.0, 4.0))
def test_flat_images_stay_flat_at_any_ratio(size: int, spacing: float) -> None:
    array = np.full((size + 4, 7, 5), 3.0)
    np.testing.assert_allclose(image_on_grid(lps(array, 1.0), (spacing,) * 3).values, 3.0, rtol=1e-5)


def test_uneven_edges_follow_the_rounded_grid() -> None:
    assert image_on_grid(lps(np.ones((60, 60, 155)), 4.0, 4.0, 1.0), (4.0,) * 3).values.shape == (39, 60, 60)


def test_background_does_not_dilute_the_rim() -> None:
    array = np.zeros((4, 4, 4))
    array[1:] = 8.0  # three of four voxels of the first new voxel's row are brain
    on_grid = image_on_grid(lps(array, 1.0), (2.0,) * 3)
    np.testing.assert_allclose(on_grid.values, 8.0)
    array[:2] = 0
    on_grid = image_on_grid(lps(array, 1.0), (2.0,) * 3)
    assert not on_grid.brain[..., 0].any()
    assert not on_grid.values[..., 0].any()


def test_masks_merge_labels_by_majority() -> None:
    array = np.zeros((4, 4, 2))
    array[0, 0] = array[1, 1] = 4  # half of the first new voxel
    array[2, 2, 0] = 1  # an eighth of the last
    mask = mask_on_grid(lps(array, 1.0), (2.0,) * 3, (1, 4))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[[1, 0], [0, 0]]]


def test_coarse_files_are_refused_with_a_remedy() -> None:
    with pytest.raises(BadInput, match=r"case_t1.*\(4 mm\) are larger than the task's 2 mm.*--scale"):
        image_on_grid(lps(np.ones((2, 2, 2)), 1.0, 4.0, 1.0), (2.0,) * 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    array = np.ones((2, 2, 2))
    array[0, 1, 0] = value
    with pytest.raises(BadInput, match=r"case_t1.*not finite"):
        image_on_grid(lps(array, 1.0), (1.0,) * 3)
