import numpy as np

from medsearch.cohorts.grid_consistency import common_grid, described, difference
from medsearch.cohorts.inspection import CaseFacts, FileFacts


def grid(shape: tuple[int, ...] = (4, 4, 4), *, spacing: float = 1.0, shift: float = 0.0) -> FileFacts:
    affine = np.diag([-spacing, -spacing, spacing, 1.0])
    affine[0, 3] = shift
    return FileFacts(shape=shape, affine=tuple(float(number) for number in affine.ravel()))


def test_most_images_decide_on_the_grid_and_the_mask_does_not() -> None:
    files = {"flair": grid(shift=5), "t1": grid(), "t2": grid(), "mask": grid(shift=5)}
    assert common_grid(CaseFacts(files), 0.01) == grid()
    assert common_grid(CaseFacts({"flair": grid(shift=5), "t1": grid(), "mask": grid()}), 0.01) == grid(shift=5)
    assert common_grid(CaseFacts({"t1": FileFacts(problem="?"), "mask": grid(shift=5)}), 0.01) == grid(shift=5)
    assert common_grid(CaseFacts({"t1": FileFacts(problem="?")}), 0.01) is None


def test_grids_differ_beyond_rounding_only() -> None:
    assert difference(grid(), grid(spacing=1.0001, shift=0.001), 0.01) is None
    assert difference(grid(), grid(spacing=1.01), 0.01) == "spacing 1 x 1 x 1 mm, theirs 1.01 x 1.01 x 1.01 mm"
    assert difference(grid((4, 4, 5)), grid(), 0.01) == "shape 4 x 4 x 5, theirs 4 x 4 x 4"
    assert difference(grid(), grid(shift=0.5), 0.01) == "another affine (position or orientation)"


def test_a_grid_is_described_without_its_position() -> None:
    assert described(grid(shift=3)) == described(grid()) == "grid is 4 x 4 x 4 voxels of 1 x 1 x 1 mm, axes LPS"
