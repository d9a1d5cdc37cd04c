import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.imaging.augmentation.volumes import (
    VolumeAugmentation,
    augment_volume,
    bent,
    coarsened,
    moved,
    moved_mask,
    rotation,
    stretched,
)

SHAPE = (12, 16, 10)
CHANCES = [field.name for field in dataclasses.fields(VolumeAugmentation) if field.name.startswith("p_")]
NOTHING = VolumeAugmentation(**dict.fromkeys(CHANCES, 0.0))
ALWAYS = VolumeAugmentation(**dict.fromkeys(CHANCES, 1.0))
seeds = st.integers(0, 1000)


def a_crop(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(seed).normal(0, 0.2, SHAPE).clip(-1, 1).astype(np.float32)
    return image, (image > 0.2).astype(np.uint8)


def smooth_ball() -> tuple[np.ndarray, np.ndarray]:
    """A ball off the centre, bright inside, and its mask."""
    z, y, x = np.mgrid[0:24, 0:40, 0:16]
    distance = np.sqrt((z - 10) ** 2 + (y - 24) ** 2 + (x - 8) ** 2)
    return (1 / (1 + np.exp(distance - 5))).astype(np.float32), (distance < 5).astype(np.uint8)


@given(seeds)
def test_zero_chance_is_the_identity(seed: int) -> None:
    image, mask = a_crop(seed)
    same, same_mask = augment_volume(image, mask, np.random.default_rng(seed), NOTHING)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(same_mask, mask)


@settings(max_examples=40)
@given(seeds, st.sampled_from([VolumeAugmentation(), ALWAYS]))
def test_result_is_a_valid_sample(seed: int, recipe: VolumeAugmentation) -> None:
    image = np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)
    mask = (image > 0.2).astype(np.uint8)
    changed, changed_mask = augment_volume(image, mask, np.random.default_rng(seed), recipe)
    for array, dtype in ((changed, np.float32), (changed_mask, np.uint8)):
        assert array.shape == SHAPE
        assert array.dtype == dtype
        assert array.flags.c_contiguous
    assert set(np.unique(changed_mask)) <= {0, 1}
    assert np.isfinite(changed).all()
    assert np.abs(changed).max() <= 1


@given(seeds)
def test_seed_decides_with_and_without_a_mask(seed: int) -> None:
    image, mask = a_crop()
    one, one_mask = augment_volume(image, mask, np.random.default_rng(seed), ALWAYS)
    two, two_mask = augment_volume(image, mask, np.random.default_rng(seed), ALWAYS)
    alone, none = augment_volume(image, None, np.random.default_rng(seed), ALWAYS)
    other, _ = augment_volume(image, mask, np.random.default_rng(seed + 1), ALWAYS)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one_mask, two_mask)
    np.testing.assert_array_equal(one, alone)
    assert none is None
    assert not np.array_equal(one, other)


def test_input_is_left_alone() -> None:
    image, mask = a_crop()
    before = image.copy(), mask.copy()
    augment_volume(image, mask, np.random.default_rng(0), ALWAYS)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@settings(max_examples=30)
@given(seeds)
def test_mask_follows_image(seed: int) -> None:
    image, mask = smooth_ball()
    only_moves = dataclasses.replace(NOTHING, p_rotation=1.0, p_scale=1.0, p_mirror=0.5)
    turned, turned_mask = augment_volume(image, mask, np.random.default_rng(seed), only_moves)
    assert turned_mask[turned > 0.8].all()  # well inside the ball: the nearest voxel is less than one away
    assert not turned_mask[turned < 0.2].any()
    assert (turned > 0.8).any()


def test_mirrors_swap_top_and_front_but_never_left_and_right() -> None:
    image, mask = a_crop()
    only_mirror = dataclasses.replace(NOTHING, p_mirror=0.5)
    rng = np.random.default_rng(0)
    seen = [augment_volume(image, mask, rng, only_mirror) for _ in range(200)]
    for axes in ((), (0,), (1,), (0, 1)):
        share = sum(np.array_equal(one, np.flip(image, axes)) for one, _ in seen) / 200
        assert 0.13 < share < 0.37
    for one, one_mask in seen:
        np.testing.assert_array_equal(one_mask, one > 0.2)


def test_rotation_of_a_quarter_turn_swaps_axes() -> None:
    image = np.random.default_rng(0).uniform(-1, 1, (7, 7, 7)).astype(np.float32)
    for axis, plane in ((0, (1, 2)), (1, (0, 2)), (2, (0, 1))):
        angles = np.zeros(3)
        angles[axis] = np.pi / 2
        turned = moved(image, rotation(angles))
        quarter = [np.rot90(image, turns, plane) for turns in (1, 3)]
        assert any(np.allclose(turned, expected, atol=1e-4) for expected in quarter)


@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_rotations_keep_distances_and_handedness(angles: tuple[float, float, float]) -> None:
    matrix = rotation(np.array(angles))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_larger_scale_shrinks_the_brain() -> None:
    _, ball = smooth_ball()
    assert moved_mask(ball, np.eye(3) * 1.4).sum() == pytest.approx(ball.sum() / 1.4**3, rel=0.15)


def test_what_comes_from_outside_is_background() -> None:
    image, mask = np.ones((8, 8, 8), np.float32), np.ones((8, 8, 8), np.uint8)
    assert moved(image, np.eye(3) * 2)[0, 0, 0] == 0
    assert moved_mask(mask, np.eye(3) * 2)[0, 0, 0] == 0


@pytest.mark.parametrize("chance", [name for name in CHANCES if name != "p_mirror"])
def test_every_transform_runs_at_its_own_chance(chance: str) -> None:
    image, _ = a_crop()
    rng, default = np.random.default_rng(0), getattr(VolumeAugmentation(), chance)
    only = dataclasses.replace(NOTHING, **{chance: default})
    changed = sum(not np.array_equal(augment_volume(image, None, rng, only)[0], image) for _ in range(300))
    assert changed / 300 == pytest.approx(default, abs=0.07)
    assert changed > 0


@pytest.mark.parametrize("chance", CHANCES)
def test_most_samples_would_change(chance: str) -> None:
    image, _ = a_crop()
    only = dataclasses.replace(NOTHING, **{chance: 1.0})
    rng = np.random.default_rng(1)
    assert any(not np.array_equal(augment_volume(image, None, rng, only)[0], image) for _ in range(8))


def always(name: str, strength: float, image: np.ndarray) -> np.ndarray:
    """`image` with one transform of the set alone, at one strength."""
    only = dataclasses.replace(NOTHING, **{f"p_{name}": 1.0, name: (strength, strength)})
    return augment_volume(image, None, np.random.default_rng(0), only)[0]


def a_volume(seed: int = 0, shape: tuple[int, int, int] = (6, 8, 5)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@given(seeds)
def test_each_does_nothing_at_its_neutral_strength(seed: int) -> None:
    image = a_volume(seed)
    for same in (
        always("noise", 0.0, image),
        always("blur", 0.0, image),
        always("brightness", 1.0, image),
        stretched(image, 1.0),
        coarsened(image, 1.0),
        bent(image, 1.0),
        bent(image, 1.0, inverted=True),
    ):
        assert same.dtype == np.float32
        np.testing.assert_allclose(same, image, atol=2e-6)


def test_noise_has_the_sd_asked_for() -> None:
    image = np.zeros((30, 30, 30), np.float32)
    assert always("noise", 0.1, image).std() == pytest.approx(0.1, rel=0.02)


def test_blur_keeps_the_sum_and_flattens() -> None:
    image = np.zeros((11, 11, 11), np.float32)
    image[5, 5, 5] = 1
    smooth = always("blur", 1.0, image)
    assert smooth.sum() == pytest.approx(1, abs=1e-3)
    assert smooth.max() == pytest.approx((2 * np.pi) ** -1.5, rel=0.02)


def test_brightness_keeps_the_background() -> None:
    image = a_volume() * np.float32(0.8)  # so that nothing is clipped
    image[0] = 0
    np.testing.assert_allclose(always("brightness", 1.25, image), 1.25 * image)
    assert not always("brightness", 1.25, image)[0].any()


@given(seeds, st.floats(0.75, 1.25))
def test_contrast_stretches_about_the_mean_within_the_range(seed: int, factor: float) -> None:
    image = a_volume(seed)
    wide = stretched(image, factor)
    assert image.min() <= wide.min() <= wide.max() <= image.max()
    inside = (wide > image.min()) & (wide < image.max())
    np.testing.assert_allclose((wide - image.mean())[inside], factor * (image - image.mean())[inside], atol=1e-5)


@given(seeds, st.floats(0.7, 1.5), st.booleans())
def test_gamma_keeps_order_mean_and_sd(seed: int, exponent: float, inverted: bool) -> None:
    image = a_volume(seed)
    curved = bent(image, exponent, inverted=inverted)
    assert curved.mean() == pytest.approx(image.mean(), abs=1e-4)
    assert curved.std() == pytest.approx(image.std(), rel=1e-3)
    ordered = np.argsort(image, axis=None)
    assert (np.diff(curved.ravel()[ordered]) >= -1e-6).all()


def test_gamma_bends_dark_and_inverted_gamma_bright_values() -> None:
    ramp = np.linspace(-1, 1, 101, dtype=np.float32).reshape(1, 1, 101)
    for inverted, sign in ((False, 1), (True, -1)):
        steps = np.diff(bent(ramp, 2.0, inverted=inverted)[0, 0])
        assert sign * (steps[-1] - steps[0]) > 0.01


def test_gamma_of_a_flat_image_is_itself() -> None:
    flat = np.full((3, 3, 3), 0.4, np.float32)
    np.testing.assert_array_equal(bent(flat, 1.4), flat)


@given(st.floats(0.3, 1.0))
def test_low_resolution_keeps_flat_images_and_loses_detail(zoom: float) -> None:
    flat = np.full((6, 9, 7), 0.3, np.float32)
    np.testing.assert_allclose(coarsened(flat, zoom), 0.3, atol=1e-5)
    assert coarsened(a_volume(), 0.5).shape == (6, 8, 5)


def test_low_resolution_keeps_smooth_images_in_place() -> None:
    z, y, x = np.mgrid[0:24, 0:40, 0:16]
    smooth = np.sin((z + 2 * y + x) / 20).astype(np.float32)
    assert np.abs(coarsened(smooth, 0.5) - smooth).max() < 0.2  # nearest sampling moves by half a voxel at most
    rough = a_volume(shape=(24, 40, 16))
    assert np.abs(coarsened(rough, 0.5) - rough).mean() > 0.2
