from pathlib import Path

import numpy as np
import pytest

from medsearch.imaging.image_files import Volume
from medsearch.imaging.registration import Atlas, Fit, Measure, RegistrationFailed
from tests.imaging.scanned_head import Scanner, pose

PLACES = np.random.default_rng(0).uniform((-50, -55, -47), (50, 45, 3), (200, 3))
POINTS = np.concatenate([PLACES, np.ones((200, 1))], axis=1)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return Atlas(Scanner().scan())


def errors(fit: Fit, moved: np.ndarray) -> np.ndarray:
    """How far each point of the block around the inner ears is laid from where it is, mm."""
    return np.linalg.norm(((fit.matrix - moved) @ POINTS.T)[:3], axis=0)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("contrast", "measure"), [("hrT2", "correlation"), ("ceT1", "information")])
def test_a_known_affine_is_undone(atlas: Atlas, contrast: str, measure: Measure, seed: int) -> None:
    """Across contrasts and within one, between other fields of view, voxels and tilts."""
    moved = pose(seed)
    other = Scanner((84, 100, 30), (2.2, 1.8, 3.0), (4.0, 0.0, -20.0 - 4 * seed), 6.0, contrast, moved)
    fit = atlas.register(other.scan(seed=seed + 1, tumour=True), measure)
    assert np.linalg.norm(((np.eye(4) - moved) @ POINTS.T)[:3], axis=0).mean() > 3
    assert errors(fit, moved).max() < 1


def test_thin_slabs_at_different_heights_are_laid_on_each_other() -> None:
    """From some of the starts along the body nothing of them overlaps."""
    moved = pose(1)
    atlas = Atlas(Scanner((96, 96, 14)).scan())
    other = Scanner((96, 96, 14), centre=(0.0, -5.0, -34.0), moved=moved)
    fit = atlas.register(other.scan(seed=1), "correlation")
    assert np.median(errors(fit, moved)) < 0.6


def test_a_registration_repeats_itself_exactly(atlas: Atlas) -> None:
    case = Scanner(contrast="ceT1", moved=pose(7)).scan(seed=7)
    first, second = (Atlas(atlas.volume).register(case, "information") for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert (first.likeness, first.overlap) == (second.likeness, second.overlap)


def test_a_file_of_another_orientation_is_laid_alike(atlas: Atlas) -> None:
    """The same image with its axes in another order and direction."""
    case = Scanner(moved=pose(5)).scan(seed=5)
    turned = np.flip(case.array.transpose(2, 0, 1), 1)
    order = np.zeros((4, 4))
    order[[0, 1, 2, 3], [1, 2, 0, 3]] = 1  # from the turned file's voxels to the case's
    order[0, 1], order[0, 3] = -1, case.array.shape[0] - 1
    other = Volume(np.ascontiguousarray(turned), case.affine @ order, case.path)
    one, two = (atlas.register(volume, "correlation") for volume in (case, other))
    assert errors(two, one.matrix).max() < 0.2


@pytest.mark.parametrize("measure", ["correlation", "information"])
def test_what_is_no_head_is_refused(atlas: Atlas, measure: Measure) -> None:
    noise = np.random.default_rng(0).uniform(1, 100, (60, 60, 30)).astype(np.float32)
    with pytest.raises(RegistrationFailed):
        atlas.register(Volume(noise, np.diag([-3.0, -3.0, 3.0, 1.0]), Path("noise.nii")), measure)


def test_a_head_of_the_wrong_size_is_refused(atlas: Atlas) -> None:
    """Spacing lost in conversion: every voxel is called a millimetre."""
    case = Scanner().scan(seed=1)
    shrunk = Volume(case.array, case.affine @ np.diag([0.5, 0.5, 0.4, 1.0]), case.path)
    with pytest.raises(RegistrationFailed):
        atlas.register(shrunk, "correlation")
