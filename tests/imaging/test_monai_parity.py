"""Where MONAI's augmentation, sliding windows and Dice give the numbers of those here, and by how much they differ.

Where they agree they do so to rounding, not bit for bit, and MONAI draws from a stream of its own: taking its
transforms would move every number that was trained on augmented crops. The module of each transform says so.
"""

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer
from monai.metrics import compute_dice
from monai.transforms import (
    AdjustContrast,
    Affine,
    Flip,
    GaussianSmooth,
    RandSimulateLowResolution,
    ScaleIntensity,
    ScaleIntensityFixedMean,
    ShiftIntensity,
    Transform,
)
from scipy import ndimage
from torch import nn

from medsearch.imaging.augmentation.slices import SliceAugmentation, augment_slice, shifted
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
from medsearch.metrics.overlap import dice
from medsearch.training.inference import slicewise
from medsearch.training.runtime import Runtime

FLOAT32 = 2e-6
NEVER = {name: 0.0 for name in VolumeAugmentation.__annotations__ if name.startswith("p_")}


@pytest.fixture
def crop() -> np.ndarray:
    """A half-brain crop (24, 40, 16) of "tiny": smooth, in [-1, 1]."""
    rough = np.random.default_rng(0).uniform(-1, 1, (24, 40, 16))
    smooth = ndimage.gaussian_filter(rough, 1.5)
    return (smooth / np.abs(smooth).max()).astype(np.float32)


def monai(transform: Transform, image: np.ndarray) -> np.ndarray:
    return np.asarray(transform(torch.from_numpy(image[None])))[0]


def alone(name: str, strength: float, image: np.ndarray) -> np.ndarray:
    """`image` with one transform of the 3D set alone."""
    recipe = VolumeAugmentation(**{**NEVER, f"p_{name}": 1.0, name: (strength, strength)})
    return augment_volume(image, None, np.random.default_rng(0), recipe)[0]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.5])
def test_gamma_is_monais(crop: np.ndarray, exponent: float, inverted: bool) -> None:
    theirs = monai(AdjustContrast(exponent, invert_image=inverted, retain_stats=True), crop)
    np.testing.assert_allclose(bent(crop, exponent, inverted=inverted), theirs, atol=FLOAT32)


@pytest.mark.parametrize("factor", [0.75, 1.25])
def test_brightness_is_monais(crop: np.ndarray, factor: float) -> None:
    image = crop * np.float32(0.8)  # ours is clipped to [-1, 1] after the set
    np.testing.assert_array_equal(
        alone("brightness", factor, image), monai(ScaleIntensity(None, None, factor - 1), image)
    )


@pytest.mark.parametrize("factor", [0.75, 1.25])
def test_contrast_is_monais(crop: np.ndarray, factor: float) -> None:
    theirs = ScaleIntensityFixedMean(factor - 1, preserve_range=True, fixed_mean=True)
    np.testing.assert_allclose(stretched(crop, factor), monai(theirs, crop), atol=FLOAT32)


def test_rotation_and_scale_are_monais_with_scipys_splines(crop: np.ndarray) -> None:
    affine = np.eye(4)
    affine[:3, :3] = rotation(np.deg2rad([20.0, -10.0, 5.0])) * np.array([0.9, 1.2, 1.1])[:, None]
    image = Affine(affine=torch.from_numpy(affine), mode=3, padding_mode="constant", image_only=True)
    np.testing.assert_allclose(moved(crop, affine[:3, :3]), monai(image, crop), atol=FLOAT32)
    mask = (crop > 0.2).astype(np.uint8)
    nearest = Affine(affine=torch.from_numpy(affine), mode=0, padding_mode="constant", image_only=True)
    np.testing.assert_array_equal(moved_mask(mask, affine[:3, :3]), monai(nearest, mask.astype(np.float32)))


def test_blur_differs_at_the_edges_where_monai_pads_with_zeros(crop: np.ndarray) -> None:
    ours, theirs = alone("blur", 1.0, crop), monai(GaussianSmooth(1.0, approx="sampled"), crop)
    apart = np.abs(ours - theirs)
    assert apart[4:-4, 4:-4, 4:-4].max() < 2e-4  # MONAI's kernel ends earlier
    assert apart.max() > 0.3


@pytest.mark.parametrize("zoom", [0.5, 0.7])
def test_low_resolution_differs_monai_comes_back_linearly_and_displaced(crop: np.ndarray, zoom: float) -> None:
    theirs = monai(RandSimulateLowResolution(prob=1.0, zoom_range=(zoom, zoom)), crop)
    assert np.abs(coarsened(crop, zoom) - theirs).mean() > 0.05
    assert np.abs(coarsened(crop, zoom) - crop).mean() < np.abs(theirs - crop).mean()


def test_shift_differs_ours_stays_in_the_range_of_the_slice(crop: np.ndarray) -> None:
    image, by = crop[0], np.float32(0.1)
    theirs = monai(ShiftIntensity(float(by)), image)
    np.testing.assert_allclose(shifted(image, by), np.clip(theirs, image.min(), image.max()), atol=FLOAT32)
    assert np.abs(shifted(image, by) - theirs).max() == pytest.approx(by, abs=1e-6)


def test_flips_are_monais(crop: np.ndarray) -> None:
    only = SliceAugmentation(warp=0.0, zoom=0.0, rotation=0.0, shift=0.0, flip=1.0)
    ours, _ = augment_slice(crop[0], None, np.random.default_rng(0), only)
    np.testing.assert_array_equal(ours, monai(Flip((0, 1)), crop[0]))


def test_volumes_slice_by_slice_are_monais_slice_inferer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())
    volumes = np.random.default_rng(0).normal(size=(2, 70, 12, 10)).astype(np.float32)
    inferer = SliceInferer(roi_size=(12, 10), spatial_dim=0, sw_batch_size=64, overlap=0)
    with torch.no_grad():
        theirs = inferer(torch.from_numpy(volumes)[:, None], network)
    np.testing.assert_allclose(slicewise(network, Runtime())(volumes), theirs[:, 0].numpy(), atol=FLOAT32)


@pytest.mark.parametrize("share", [0.02, 0.4])
def test_dice_is_monais_where_a_mask_is_marked(share: float) -> None:
    one, other = np.random.default_rng(0).random((2, 1, 1, 8, 8, 8)) < share
    theirs = compute_dice(torch.from_numpy(one), torch.from_numpy(other), include_background=True)
    assert dice(one, other) == pytest.approx(float(theirs), abs=FLOAT32)


def test_dice_of_nothing_is_one_here_and_undefined_in_monai() -> None:
    nothing = np.zeros((1, 1, 4, 4, 4), bool)
    assert dice(nothing, nothing) == 1
    assert torch.isnan(
        compute_dice(torch.from_numpy(nothing), torch.from_numpy(nothing), include_background=True)
    ).all()
