from itertools import pairwise

import numpy as np
import pytest

from medsearch.phantoms.anatomy import Anatomy, Push
from medsearch.phantoms.grids import brain_grid
from medsearch.phantoms.templates import mni152

GRID = brain_grid(4.0)


@pytest.fixture(scope="module")
def anatomies() -> list[Anatomy]:
    return [Anatomy.draw(mni152(), np.random.default_rng(number)) for number in range(4)]


def test_tissues_sum_to_one_in_the_brain_and_to_zero_outside(anatomies: list[Anatomy]) -> None:
    for anatomy in anatomies:
        total = anatomy.on(GRID).sum(axis=0)
        assert ((total == 0) | (np.abs(total - 1) < 1e-5)).all()
        assert 1.1e6 < np.count_nonzero(total) * GRID.spacing**3 < 1.9e6


def test_an_average_is_sharpened_into_one_brain(anatomies: list[Anatomy]) -> None:
    maps = anatomies[0].on(GRID)
    brain = maps.sum(axis=0) > 0
    assert np.mean(maps.max(axis=0)[brain] > 0.8) > 0.5


def test_subjects_differ_but_not_beyond_recognition(anatomies: list[Anatomy]) -> None:
    brains = [anatomy.on(GRID) for anatomy in anatomies]
    for one, other in pairwise(brains):
        a, b = one.sum(axis=0) > 0, other.sum(axis=0) > 0
        assert 0.85 < 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) < 0.999
        assert np.abs(one - other)[:, a & b].sum(axis=0).mean() > 0.3


def test_nothing_is_folded_over(anatomies: list[Anatomy]) -> None:
    """The map from the subject to the template keeps its orientation everywhere."""
    for anatomy in anatomies:
        gradients = np.stack([np.stack(np.gradient(axis, GRID.spacing)) for axis in anatomy.places(GRID, None)])
        signs = np.sign(np.linalg.det(np.moveaxis(gradients, (0, 1), (-2, -1))))
        assert len(np.unique(signs)) == 1


def test_a_push_moves_tissue_away_from_its_centre(anatomies: list[Anatomy]) -> None:
    push = Push((30.0, -10.0, 20.0), strength=0.25, reach=20.0)
    before, after = anatomies[0].places(GRID, None), anatomies[0].places(GRID, push)
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(GRID.points(), push.centre, strict=True)))
    moved = np.linalg.norm(after - before, axis=0)
    assert 1.0 < moved[(distance > 10) & (distance < 25)].mean() < 8.0
    assert moved[distance > 90].max() < 0.05
    assert moved[distance < 4].max() < 1.5
