"""MSE, PSNR, SSIM and MAE against scikit-image and MONAI, and the conventions in which these differ from ours."""

from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import MAEMetric, MSEMetric, PSNRMetric, SSIMMetric
from skimage import metrics as skimage

from medsearch.metrics.images import mae_hu, mse, psnr_of_slices, psnr_of_volume, ssim_gaussian, ssim_uniform
from tests.metrics.synthesised import Pair, offsets, pair

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
pairs = st.builds(
    pair,
    st.integers(0, 999),
    shape=st.tuples(st.integers(1, 4), st.integers(11, 40), st.integers(11, 40)),
    noise=st.sampled_from([0.02, 0.1, 0.5]),
)


def of_skimage(name: str, volumes: Pair, **options: Any) -> float:
    """Mean over axial slices."""
    score = getattr(skimage, name)
    return fmean(float(score(truth, prediction, **options)) for prediction, truth in zip(*volumes, strict=True))


def of_monai(metric: Any, volumes: Pair) -> float:
    """Mean over axial slices, as a batch of images with one channel; its SSIM is in single precision."""
    return float(metric(*(torch.tensor(volume[:, None]) for volume in volumes)).mean())


def of_monais_ssim(volumes: Pair, **options: Any) -> float:
    return of_monai(SSIMMetric(2, **{"data_range": 2.0, **options}), volumes)


@settings(max_examples=30)
@given(pairs)
def test_errors_agree(volumes: Pair) -> None:
    assert mse(*volumes) == pytest.approx(of_skimage("mean_squared_error", volumes), abs=1e-12)
    assert mse(*volumes) == pytest.approx(of_monai(MSEMetric(), volumes), abs=1e-12)
    hu = mae_hu(*volumes, window=(-1000.0, 1000.0))
    assert hu == pytest.approx(1000 * of_monai(MAEMetric(), volumes), abs=1e-9)


@settings(max_examples=30)
@given(pairs)
def test_psnr_agrees(volumes: Pair) -> None:
    assert psnr_of_slices(*volumes) == pytest.approx(
        of_skimage("peak_signal_noise_ratio", volumes, data_range=2), abs=1e-9
    )
    assert psnr_of_slices(*volumes) == pytest.approx(of_monai(PSNRMetric(2.0), volumes), abs=1e-6)
    whole = skimage.peak_signal_noise_ratio(volumes[1], volumes[0], data_range=2)
    assert psnr_of_volume(*volumes) == pytest.approx(whole, abs=1e-9)
    as_one = [torch.tensor(volume[None, None]) for volume in volumes]
    assert psnr_of_volume(*volumes) == pytest.approx(float(PSNRMetric(2.0)(*as_one)), abs=1e-6)


@settings(max_examples=30)
@given(pairs)
def test_ssim_agrees(volumes: Pair) -> None:
    assert ssim_uniform(*volumes) == pytest.approx(
        of_skimage("structural_similarity", volumes, data_range=2), abs=1e-10
    )
    assert ssim_gaussian(*volumes) == pytest.approx(
        of_skimage("structural_similarity", volumes, data_range=2, **WANG), abs=1e-10
    )


@settings(max_examples=30)
@given(st.integers(0, 999), st.sampled_from([0.02, 0.1, 0.5]))
def test_ssim_agrees_with_monais_in_single_precision(seed: int, noise: float) -> None:
    """On slices of a usual size: in the flat parts of small ones single precision is off by some 1e-6."""
    volumes = pair(seed, shape=(2, 64, 64), noise=noise)
    assert ssim_gaussian(*volumes) == pytest.approx(of_monais_ssim(volumes), abs=1e-6)


def of_ssim(volumes: Pair, **options: Any) -> float:
    return of_skimage("structural_similarity", volumes, **{"data_range": 2, **options})


def test_one_pair_by_every_convention() -> None:
    """What a number gains or loses where a caption does not say which it is."""
    volumes = pair(0, shape=(12, 48, 48), noise=0.2)
    shifted = tuple((volume + 1) / 2 for volume in volumes)
    assert ssim_uniform(*volumes) == pytest.approx(0.733319, abs=1e-6)
    assert of_ssim(volumes) == pytest.approx(0.733319, abs=1e-6)
    assert of_ssim(volumes, use_sample_covariance=False) == pytest.approx(0.733494, abs=1e-6)
    assert of_monais_ssim(volumes, kernel_type="uniform", win_size=7) == pytest.approx(0.733494, abs=1e-6)
    assert ssim_gaussian(*volumes) == pytest.approx(0.652813, abs=1e-6)
    assert of_ssim(volumes, **WANG) == pytest.approx(0.652813, abs=1e-6)
    assert of_monais_ssim(volumes) == pytest.approx(0.652813, abs=1e-6)
    assert of_ssim(volumes, **{**WANG, "use_sample_covariance": True}) == pytest.approx(0.652702, abs=1e-6)
    assert of_monais_ssim(volumes, data_range=1.0) == pytest.approx(0.635951, abs=1e-6)  # its default
    assert of_ssim(shifted, data_range=1) == pytest.approx(0.764399, abs=1e-6)
    assert of_ssim(shifted, data_range=1, **WANG) == pytest.approx(0.691064, abs=1e-6)
    assert skimage.structural_similarity(*volumes, data_range=2) == pytest.approx(0.905871, abs=1e-6)  # not by slices


def test_the_range_scales_and_the_zero_does_not() -> None:
    """[0, 1] at range 1 is [0, 2] at range 2: what differs from [-1, 1] is the offset."""
    volumes = pair(0, noise=0.2)
    shifted = tuple((volume + 1) / 2 for volume in volumes)
    for ssim, options in ((ssim_uniform, {}), (ssim_gaussian, WANG)):
        theirs = of_skimage("structural_similarity", shifted, data_range=1, **options)
        assert ssim(*(volume + 1 for volume in volumes)) == pytest.approx(theirs, abs=1e-9)
        assert theirs > ssim(*volumes) + 0.01


def test_libraries_put_images_in_decibels_one_by_one() -> None:
    """So a mean over a batch is a mean of decibels, as `psnr_of_slices`; pooling the errors first makes 7 dB less."""
    volumes = offsets(26.02, 46.56)
    assert of_monai(PSNRMetric(2.0), volumes) == pytest.approx(36.29)
    assert skimage.peak_signal_noise_ratio(*volumes, data_range=2) == pytest.approx(psnr_of_volume(*volumes))


def test_where_ours_is_undefined_theirs_is_infinite() -> None:
    _, truth = pair(0)
    with np.errstate(divide="ignore"):
        assert np.isinf(skimage.peak_signal_noise_ratio(truth, truth, data_range=2))
    assert np.isinf(of_monai(PSNRMetric(2.0), (truth, truth)))
    assert psnr_of_slices(truth, truth) is None


def test_float_images_without_a_range_and_integers_by_their_type() -> None:
    """The traps that a fixed range avoids: scikit-image refuses the one and takes 65535 for the other."""
    prediction, truth = pair(0)
    with pytest.raises(ValueError, match="data_range"):
        skimage.structural_similarity(truth[0], prediction[0])
    hu = [(1000 * volume).astype(np.int16) for volume in (truth, prediction)]
    by_type, by_window = (skimage.peak_signal_noise_ratio(*hu, **range_) for range_ in ({}, {"data_range": 2000}))
    assert by_type - by_window == pytest.approx(20 * np.log10(65535 / 2000))
    assert psnr_of_volume(prediction, truth) == pytest.approx(by_window, abs=0.01)
