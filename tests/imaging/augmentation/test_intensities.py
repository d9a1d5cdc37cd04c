import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.imaging.augmentation.intensities import bent, blurred, brightened, coarsened, noisy, stretched

seeds = st.integers(0, 1000)


def a_volume(seed: int = 0, shape: tuple[int, int, int] = (6, 8, 5)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@given(seeds)
def test_each_does_nothing_at_its_neutral_strength(seed: int) -> None:
    image = a_volume(seed)
    for same in (
        noisy(image, 0.0, np.random.default_rng(seed)),
        blurred(image, 0.0),
        brightened(image, 1.0),
        stretched(image, 1.0),
        coarsened(image, 1.0),
        bent(image, 1.0),
        bent(image, 1.0, inverted=True),
    ):
        assert same.dtype == np.float32
        np.testing.assert_allclose(same, image, atol=2e-6)


def test_noise_has_the_sd_asked_for() -> None:
    image = np.zeros((30, 30, 30), np.float32)
    assert noisy(image, 0.1, np.random.default_rng(0)).std() == pytest.approx(0.1, rel=0.02)


def test_blur_keeps_the_sum_and_flattens() -> None:
    image = np.zeros((11, 11, 11), np.float32)
    image[5, 5, 5] = 1
    smooth = blurred(image, 1.0)
    assert smooth.sum() == pytest.approx(1, abs=1e-3)
    assert smooth.max() == pytest.approx((2 * np.pi) ** -1.5, rel=0.02)


def test_brightness_keeps_the_background() -> None:
    image = a_volume()
    image[0] = 0
    np.testing.assert_allclose(brightened(image, 1.25), 1.25 * image)
    assert not brightened(image, 1.25)[0].any()


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
