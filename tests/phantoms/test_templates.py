from pathlib import Path

import numpy as np
import pytest

from medsearch.core.errors import BadInput
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.grids import Grid, brain_grid
from medsearch.phantoms.templates import Template, label_maps, labelled_head, mni152

GRID = brain_grid(3.0)


def undeformed(template: Template, grid: Grid) -> np.ndarray:
    """The template as it lies in head coordinates: (tissue, x, y, z)."""
    scale = (np.eye(3) / template.scale).astype(np.float32)
    return Anatomy(template, scale, np.zeros(3, np.float32), (), ()).on(grid)


def centre(share: np.ndarray) -> np.ndarray:
    return np.array([np.average(np.broadcast_to(axis, share.shape), weights=share) for axis in GRID.points()])


def litres(share: np.ndarray) -> float:
    return float(share.sum() * GRID.spacing**3 / 1e6)


def test_mni152_is_a_brain_of_usual_size_in_the_middle() -> None:
    maps = undeformed(mni152(), GRID)
    total = maps.sum(axis=0)
    assert ((total < 1e-3) | (np.abs(total - 1) < 1e-3)).all()
    assert litres(total) == pytest.approx(1.47, abs=0.05)
    white, grey, deep, fluid, *others = (litres(part) for part in maps)
    assert 0.4 < white < 0.7
    assert 0.5 < grey < 0.9
    assert 0.02 < deep < 0.08
    assert 0.1 < fluid < 0.3
    assert sum(others) == 0
    assert abs(centre(total)[0]) < 1.0
    assert np.abs(centre(maps[2]) - (0, -5, 5)).max() < 4


def test_a_tilted_head_is_levelled_and_put_in_place(drawn_head: Path) -> None:
    template = labelled_head(label_maps(drawn_head)[0])
    maps = undeformed(template, GRID)
    total = maps.sum(axis=0)
    assert np.abs(centre(total) - (0, -16, 5)).max() < 1.0
    assert np.abs(centre(maps[2]) - (0, -7, 7)).max() < 2.0
    mirrored = np.abs(total - total[::-1]) if np.allclose(GRID.axes[0], -GRID.axes[0][::-1]) else None
    assert mirrored is None or mirrored.mean() < 0.01
    along = [axis[np.any(total > 0.5, axis=tuple({0, 1, 2} - {number}))] for number, axis in enumerate(GRID.axes)]
    extents = [float(abs(axis[-1] - axis[0])) for axis in along]
    np.testing.assert_allclose(extents, (2 * 68, 2 * 84, 2 * 66), atol=2.5 * GRID.spacing)


def test_the_skull_is_left_out(drawn_head: Path) -> None:
    maps = undeformed(labelled_head(label_maps(drawn_head)[0]), GRID)
    ellipsoid = 4 / 3 * np.pi * 68 * 84 * 66 / 1e6
    assert litres(maps.sum(axis=0)) == pytest.approx(ellipsoid, rel=0.03)


def test_a_folder_without_label_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no label map .*; give a folder"):
        label_maps(tmp_path)


def test_label_maps_with_other_numbers_are_refused(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", np.full((9, 9, 9), 2, np.int16), np.eye(4))
    with pytest.raises(BadInput, match=r"a\.nii\.gz: lacks one of the labels .*FreeSurfer"):
        labelled_head(tmp_path / "a.nii.gz")
