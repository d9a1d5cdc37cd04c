"""Tiny cohorts on disk, as real NIfTI files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from medsearch.cohorts.cohort import Case, Cohort
from medsearch.imaging.volumes import write_volume

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

CONTRASTS = ("flair", "t1", "t2")
LPS = np.diag([-4.0, -4.0, 4.0, 1.0])
SHAPE = (12, 14, 10)  # x, y, z

CohortWriter = Callable[..., Cohort]


def head(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images (x, y, z) by contrast, 0 outside a box of brain, and a mask with labels 1, 2, 4 on one or both sides."""
    brain = np.zeros(SHAPE, bool)
    brain[2:10, 3:12, 1:9] = True
    images = {contrast: np.where(brain, rng.uniform(50, 150, SHAPE), 0) for contrast in CONTRASTS}
    mask = np.zeros(SHAPE, np.uint8)
    corner = rng.integers((2, 3, 1), (8, 10, 7))
    mask[tuple(slice(low, low + 2) for low in corner)] = rng.choice([1, 2, 4])
    return images, mask


@pytest.fixture
def write_cohort(tmp_path: Path) -> CohortWriter:
    """A function that writes `count` random heads and returns their cohort."""

    def write(count: int = 12, *, seed: int = 0, folder: str = "files") -> Cohort:
        root, rng, cases = tmp_path / folder, np.random.default_rng(seed), []
        for number in range(count):
            images, mask = head(rng)
            cases.append(write_case(root / f"case-{number:02d}", images, mask))
        return Cohort("tiny", root, "brats2020", CONTRASTS, tuple(cases))

    return write


def write_case(
    folder: Path, images: dict[str, np.ndarray], mask: np.ndarray | None, *, affine: np.ndarray = LPS
) -> Case:
    """Write one case's files; the folder's name is the subject."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {contrast: folder / f"{contrast}.nii.gz" for contrast in images}
    for contrast, path in paths.items():
        write_volume(path, images[contrast].astype(np.float32), affine)
    if mask is None:
        return Case(folder.name, paths, None)
    write_volume(folder / "seg.nii.gz", mask, affine)
    return Case(folder.name, paths, folder / "seg.nii.gz")


@pytest.fixture(name="head")
def _head() -> Callable[[np.random.Generator], tuple[dict[str, np.ndarray], np.ndarray]]:
    return head


@pytest.fixture(name="write_case")
def _write_case() -> Callable[..., Case]:
    return write_case
