from collections.abc import Callable
from math import isnan, log10
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.metrics import images
from medsearch.metrics.images import (
    identical_slices,
    mae_hu,
    mse,
    psnr_of_slices,
    psnr_of_volume,
    ssim_gaussian,
    ssim_uniform,
)
from tests.metrics.synthesised import offsets, pair

WINDOW = (-1000.0, 1000.0)
seeds, noises = st.integers(0, 999), st.sampled_from([0.02, 0.1, 0.5])


def mae(prediction: np.ndarray, truth: np.ndarray) -> float:
    return mae_hu(prediction, truth, window=WINDOW)


SSIMS = [ssim_uniform, ssim_gaussian]
ALL = [mse, psnr_of_slices, psnr_of_volume, mae, *SSIMS]
Score = Callable[[np.ndarray, np.ndarray], float | None]


def test_worked_numbers() -> None:
    """A slice off by 0.5 everywhere: 0.25, 4 / 0.25 is 12.04 dB, 500 HU of a window 2000 wide."""
    prediction, truth = np.full((1, 11, 12), 0.5), np.zeros((1, 11, 12))
    assert mse(prediction, truth) == 0.25
    assert psnr_of_slices(prediction, truth) == pytest.approx(10 * log10(16))
    assert mae(prediction, truth) == 500
    assert mae_hu(prediction, truth, window=(-160.0, 240.0)) == 100
    luminance = 0.02**2 / (0.25 + 0.02**2)  # of two constants, the rest of SSIM is 1
    assert [ssim(prediction, truth) for ssim in SSIMS] == pytest.approx([luminance, luminance])


@settings(max_examples=30)
@given(seeds, noises, st.sampled_from(ALL))
def test_symmetric_and_the_same_in_any_order_of_slices(seed: int, noise: float, score: Score) -> None:
    prediction, truth = pair(seed, noise=noise)
    assert score(prediction, truth) == pytest.approx(score(truth, prediction), abs=1e-12)
    assert score(prediction, truth) == pytest.approx(score(prediction[::-1], truth[::-1]), abs=1e-12)


@settings(max_examples=30)
@given(seeds, noises, st.sampled_from([mse, psnr_of_slices, mae, *SSIMS]))
def test_a_volume_is_the_mean_of_its_axial_slices(seed: int, noise: float, score: Score) -> None:
    prediction, truth = pair(seed, noise=noise)
    alone = [score(prediction[z : z + 1], truth[z : z + 1]) for z in range(len(truth))]
    assert score(prediction, truth) == pytest.approx(fmean(alone), abs=1e-12)


@settings(max_examples=30)
@given(seeds, noises)
def test_psnr_is_the_range_squared_over_the_error(seed: int, noise: float) -> None:
    prediction, truth = pair(seed, noise=noise)
    of_volume = 10 * log10(4 / mse(prediction, truth))
    assert psnr_of_volume(prediction, truth) == pytest.approx(of_volume, abs=1e-10)
    assert psnr_of_slices(prediction, truth) >= of_volume - 1e-10
    one = prediction[:1], truth[:1]
    assert psnr_of_slices(*one) == pytest.approx(10 * log10(4 / mse(*one)), abs=1e-10)
    half = (prediction + truth) / 2
    assert psnr_of_slices(half, truth) == pytest.approx(psnr_of_slices(prediction, truth) + 20 * log10(2), abs=1e-9)


@settings(max_examples=30)
@given(seeds, st.floats(0.05, 1.0))
def test_an_offset_of_both_moves_ssim_alone(seed: int, offset: float) -> None:
    """It brings constants nearer to each other in proportion, so the place of zero belongs to the convention.

    Of images that are not constant SSIM may move either way, and at some offset not at all.
    """
    prediction, truth = (volume / 2 for volume in pair(seed, noise=0.5))
    moved = prediction + offset, truth + offset
    for score in (mse, psnr_of_slices, psnr_of_volume, mae):
        assert score(*moved) == pytest.approx(score(prediction, truth), abs=1e-9)
    flat = np.full((1, 16, 16), 0.1), np.full((1, 16, 16), 0.2)
    for ssim in SSIMS:
        assert ssim(flat[0] + offset, flat[1] + offset) > ssim(*flat)


@settings(max_examples=30)
@given(seeds, noises)
def test_bounds(seed: int, noise: float) -> None:
    prediction, truth = pair(seed, noise=noise)
    assert 0 < mse(prediction, truth) <= 4
    assert (mae(prediction, truth) / 1000) ** 2 <= mse(prediction, truth)  # Jensen
    for ssim in SSIMS:
        assert -1 <= ssim(prediction, -truth) < ssim(prediction, truth) < 1


@settings(max_examples=20)
@given(seeds)
def test_a_volume_equals_itself(seed: int) -> None:
    _, truth = pair(seed)
    assert (mse(truth, truth), mae(truth, truth), ssim_uniform(truth, truth), ssim_gaussian(truth, truth)) == (
        0, 0, 1, 1,
    )  # fmt: skip
    assert psnr_of_slices(truth, truth) is None
    assert psnr_of_volume(truth, truth) is None
    assert identical_slices(truth, truth) == len(truth)


def test_a_slice_without_an_error_is_left_out_of_psnr_alone() -> None:
    prediction, truth = offsets(20.0, 30.0)
    padded = [np.pad(volume, ((1, 1), (0, 0), (0, 0)), constant_values=-1) for volume in (prediction, truth)]
    assert identical_slices(prediction, truth) == 0
    assert identical_slices(*padded) == 2
    assert psnr_of_slices(*padded) == psnr_of_slices(prediction, truth) == pytest.approx(25)
    assert mse(*padded) == pytest.approx(mse(prediction, truth) / 2)
    assert psnr_of_volume(*padded) == pytest.approx(psnr_of_volume(prediction, truth) + 10 * log10(2))


def test_whether_slices_or_the_volume_are_put_in_decibels_makes_seven() -> None:
    assert psnr_of_slices(*offsets(26.02, 46.56)) == pytest.approx(36.29, abs=1e-9)
    assert psnr_of_volume(*offsets(26.02, 46.56)) == pytest.approx(28.992, abs=1e-3)


def test_background_that_both_share_raises_ssim() -> None:
    prediction, truth = pair(1, noise=0.3)
    padded = [np.pad(volume, ((0, 0), (40, 40), (40, 40)), constant_values=-1) for volume in (prediction, truth)]
    for ssim in SSIMS:
        assert ssim(*padded) > 0.95 > ssim(prediction, truth) + 0.1


def test_any_number_type_is_scored_in_double_precision() -> None:
    lowest, highest = np.zeros((1, 11, 11), np.uint8), np.ones((1, 11, 11), np.uint8)
    assert mse(lowest, highest) == 1  # and not 255 squared
    singles = [volume.astype(np.float32) for volume in pair(0)]
    for score in ALL:
        assert score(*singles) == pytest.approx(score(*pair(0)), rel=1e-6)


def test_what_is_no_number_is_scored_as_none() -> None:
    prediction, truth = pair(0)
    prediction[0, 12, 12] = np.nan
    assert all(isnan(score(prediction, truth)) for score in ALL)


@pytest.mark.parametrize("score", [*ALL, identical_slices])
@pytest.mark.parametrize(
    ("shape", "other", "said"),
    [
        ((3, 16, 16), (3, 16, 15), r"\(3, 16, 16\) and real \(3, 16, 15\) lie on different grids; place"),
        ((3, 16, 16), (1, 16, 16), "different grids"),
        ((16, 16), (16, 16), r"shape \(16, 16\) is no stack \(Z, Y, X\) of axial slices; give"),
        ((0, 16, 16), (0, 16, 16), "no stack"),
    ],
)
def test_volumes_that_do_not_fit_are_refused(
    score: Score, shape: tuple[int, ...], other: tuple[int, ...], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        score(np.zeros(shape), np.zeros(other))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("ssim", "least"), [(ssim_uniform, 7), (ssim_gaussian, 11)])
def test_slices_below_the_window_are_refused(ssim: Score, least: int) -> None:
    assert ssim(np.zeros((1, least, least)), np.zeros((1, least, least))) == 1
    small = np.zeros((1, 40, least - 1))
    with pytest.raises(BadInput, match=f"40 × {least - 1} px are smaller than SSIM's window of {least} × {least}; rai"):
        ssim(small, small)


def test_captions_name_the_convention() -> None:
    forms = {name: form for name, form in vars(images).items() if name.endswith("_FORM")}
    assert set(forms) == {f"{name}_FORM" for name in ("MSE", "PSNR_SLICES", "PSNR_VOLUME", "SSIM_UNIFORM",
                                                     "SSIM_GAUSSIAN", "MAE_HU")}  # fmt: skip
    assert all("range 2" in form for name, form in forms.items() if name.startswith(("PSNR", "SSIM")))
    assert all("[−1, 1]" in form for name, form in forms.items() if name != "MAE_HU_FORM")
