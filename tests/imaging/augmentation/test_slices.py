import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.imaging.augmentation.slices import KNOTS, SliceAugmentation, augment_slice, shifted, warp_field

NOTHING = SliceAugmentation(warp=0.0, zoom=0.0, rotation=0.0, shift=0.0, flip=0.0)
shapes = st.tuples(st.integers(4, 40), st.integers(4, 40))
strengths = st.builds(
    SliceAugmentation,
    warp=st.floats(0, 0.1),
    zoom=st.floats(0, 0.5),
    rotation=st.floats(0, 180),
    shift=st.floats(0, 1),
    flip=st.floats(0, 1),
)
seeds = st.integers(0, 1000)


def a_slice(shape: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An image in [-1, 1] and a mask that marks exactly its values above 0.2."""
    image = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    return image, (image > 0.2).astype(np.uint8)


@given(shapes, seeds)
def test_zero_strength_is_the_identity(shape: tuple[int, int], seed: int) -> None:
    image, mask = a_slice(shape, seed)
    same, same_mask = augment_slice(image, mask, np.random.default_rng(seed), NOTHING)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(same_mask, mask)


@given(shapes, strengths, seeds)
def test_mask_follows_image(shape: tuple[int, int], strength: SliceAugmentation, seed: int) -> None:
    image, mask = a_slice(shape, seed)
    moved, moved_mask = augment_slice(
        image, mask, np.random.default_rng(seed), dataclasses.replace(strength, shift=0.0)
    )
    np.testing.assert_array_equal(moved_mask, moved > 0.2)
    assert moved_mask.dtype == np.uint8


@given(shapes, strengths, seeds)
def test_range_shape_and_type_stay(shape: tuple[int, int], strength: SliceAugmentation, seed: int) -> None:
    image, _ = a_slice(shape, seed)
    changed, none = augment_slice(image, None, np.random.default_rng(seed), strength)
    assert none is None
    assert changed.shape == shape
    assert changed.dtype == np.float32
    assert changed.flags.c_contiguous
    assert image.min() <= changed.min() <= changed.max() <= image.max()


@given(seeds)
def test_seed_decides(seed: int) -> None:
    image, mask = a_slice((24, 20))
    one, two, other = (augment_slice(image, mask, np.random.default_rng(number)) for number in (seed, seed, seed + 1))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_input_is_left_alone() -> None:
    image, mask = a_slice((16, 16))
    before = image.copy(), mask.copy()
    augment_slice(image, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_mask_is_the_same_with_and_without_company() -> None:
    image, mask = a_slice((16, 16))
    with_mask, _ = augment_slice(image, mask, np.random.default_rng(5))
    alone, _ = augment_slice(image, None, np.random.default_rng(5))
    np.testing.assert_array_equal(with_mask, alone)


def test_flips_hit_each_axis_half_the_time() -> None:
    image, _ = a_slice((6, 6))
    only_flips = dataclasses.replace(NOTHING, flip=0.5)
    rng = np.random.default_rng(0)
    seen = [augment_slice(image, None, rng, only_flips)[0] for _ in range(400)]
    for axes in ((), (0,), (1,), (0, 1)):
        share = sum(np.array_equal(one, np.flip(image, axes)) for one in seen) / 400
        assert 0.17 < share < 0.33


def test_warp_stays_at_the_edges_and_reaches_its_strength_inside() -> None:
    field = warp_field(np.full((2, KNOTS, KNOTS), 6.0), (41, 61))
    assert field.shape == (2, 41, 61)
    np.testing.assert_allclose(field[:, [0, -1]], 0, atol=1e-12)
    np.testing.assert_allclose(field[:, :, [0, -1]], 0, atol=1e-12)
    assert field.max() == pytest.approx(6.0)
    assert np.abs(np.diff(field, axis=2)).max() < 1  # smooth


def test_warp_scales_with_the_slice() -> None:
    """Five pixels on 256 are a quarter of that on 64: the same deformation of the head."""
    only_warp = dataclasses.replace(NOTHING, warp=5 / 256)
    far = []
    for size in (256, 64):
        columns = np.broadcast_to(np.linspace(-1, 1, size, dtype=np.float32), (size, size))
        rng = np.random.default_rng(0)
        warped = [augment_slice(columns, None, rng, only_warp)[0] - columns for _ in range(50)]
        far.append(np.mean([np.abs(one).max() for one in warped]))
    assert far[0] == pytest.approx(far[1], rel=0.25)


def test_zoom_and_rotation_move_as_told() -> None:
    size = 101
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    disc = (np.hypot(y, x) < 0.5).astype(np.float32)
    only_zoom = dataclasses.replace(NOTHING, zoom=0.1)
    rng = np.random.default_rng(0)
    areas = [augment_slice(disc, None, rng, only_zoom)[0].sum() / disc.sum() for _ in range(200)]
    assert 0.81 - 0.02 < min(areas) < 0.9
    assert 1.1 < max(areas) < 1.21 + 0.02
    bar = ((np.abs(y) < 0.05) & (x > 0)).astype(np.float32)
    only_turn = dataclasses.replace(NOTHING, rotation=3.0)
    angles = []
    for _ in range(200):
        turned = augment_slice(bar, None, rng, only_turn)[0]
        angles.append(np.degrees(np.arctan2((y * turned).sum(), (x * turned).sum())))
    assert 2 < max(np.abs(angles)) < 3.5


@given(st.floats(-2, 2))
def test_shift_stays_in_the_images_own_range(by: float) -> None:
    image, _ = a_slice((8, 8))
    moved = shifted(image, by)
    assert moved.min() >= image.min()
    assert moved.max() <= image.max()
    inside = (image + np.float32(by) > image.min()) & (image + np.float32(by) < image.max())
    np.testing.assert_allclose((moved - image)[inside], by, atol=1e-6)
