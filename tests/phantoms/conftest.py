"""One phantom cohort for all tests of this floor, as files and as what is known of its subjects."""

from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.layouts import layout
from medsearch.imaging.volumes import read_volume, write_volume
from medsearch.phantoms import write_brats
from medsearch.phantoms.brain import phantom_subject
from tests.phantoms.written_phantom import SPEC, Written


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = write_brats(SPEC, tmp_path_factory.mktemp("phantom") / "cohort")
    cohort = layout("brats2020").scan(root).cohort
    volumes = [{kind: read_volume(path).array for kind, path in case.files.items()} for case in cohort.cases]
    return Written(cohort, volumes, [phantom_subject(SPEC, number) for number in range(SPEC.cases)])


@pytest.fixture(scope="session")
def drawn_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one label map: nested ellipsoids with FreeSurfer's numbers, tilted and off centre."""
    folder = tmp_path_factory.mktemp("anatomy")
    size, spacing = 80, 2.5
    index = np.indices((size, size, size)).reshape(3, -1).T
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, :3] = turned(np.deg2rad((20, -8, 6))) * spacing
    affine[:3, 3] = np.array([13.0, -20.0, 31.0]) - affine[:3, :3] @ np.full(3, (size - 1) / 2)
    position = (index - (size - 1) / 2) * spacing + (0, -16, 5)  # head coordinates, by construction
    labels = np.zeros(len(index), np.int16)
    right = position[:, 0] > 0
    for radii, centre, numbers in (
        ((80, 95, 80), (0, -16, 5), (511, 511)),
        ((68, 84, 66), (0, -16, 5), (24, 24)),
        ((65, 81, 63), (0, -16, 5), (3, 42)),
        ((58, 74, 56), (0, -16, 5), (2, 41)),
        ((9, 14, 8), (12, -17.5, 6), (10, 49)),
        ((7, 12, 8), (14, 7.4, 8.3), (11, 50)),
        ((4, 20, 5), (7, -5, 15), (4, 43)),
    ):
        mirrored = np.abs(position[:, 0]) if centre[0] else position[:, 0]
        away = (np.column_stack([mirrored, position[:, 1:]]) - centre) / radii
        inside = (away**2).sum(axis=1) < 1
        labels[inside] = np.where(right, numbers[1], numbers[0])[inside]
    write_volume(folder / "head.nii.gz", labels.reshape(size, size, size), affine)
    return folder


def turned(angles: np.ndarray) -> np.ndarray:
    (a, b, c), one = angles, np.eye(3)
    x, y, z = one.copy(), one.copy(), one.copy()
    x[1:, 1:] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    y[::2, ::2] = [[np.cos(b), np.sin(b)], [-np.sin(b), np.cos(b)]]
    z[:2, :2] = [[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]]
    return x @ y @ z
