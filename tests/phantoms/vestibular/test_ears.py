from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.templates import label_maps
from medsearch.phantoms.vestibular.boxes import Box
from medsearch.phantoms.vestibular.centres import posed
from medsearch.phantoms.vestibular.ears import Ear
from medsearch.phantoms.vestibular.heads import mni152_head, whole_labelled_head
from medsearch.phantoms.vestibular.subjects import VestibularSubject
from medsearch.phantoms.vestibular.tissues import HEAD


def within(ear: Ear, size: float = 40.0, step: float = 0.5) -> Box:
    return Box.around(ear.porus, (size,) * 3, (step,) * 3)


def test_each_side_has_an_ear_about_where_ears_are(subjects: list[VestibularSubject]) -> None:
    for subject in subjects:
        for side, ear in zip((1, -1), subject.ears, strict=True):
            assert ear.side == side
            assert 10 < side * ear.porus[0] < 40
            assert side * ear.axis[0] > 0.6
            assert ear.axis[1] > 0.1
            assert np.linalg.norm(ear.axis) == pytest.approx(1)


def test_the_canal_opens_where_bone_meets_the_cistern(subjects: list[VestibularSubject]) -> None:
    for subject in subjects[:4]:
        for ear in subject.ears:
            maps = subject.anatomy.on(within(ear, 12.0))
            hard = maps[HEAD.index("bone")] + maps[HEAD.index("marrow")]
            assert hard.mean() > 0.15
            assert maps[HEAD.index("fluid")].max() > 0.5


def test_the_porus_follows_the_head(subjects: list[VestibularSubject]) -> None:
    """A head that is moved and turned has its ears moved and turned."""
    anatomy = Anatomy.draw(mni152_head(), np.random.default_rng(3))
    moved = posed(anatomy, np.random.default_rng(4))
    for side in (1, -1):
        before, after = (Ear.draw(one, side, np.random.default_rng(0)) for one in (anatomy, moved))
        turn = np.linalg.solve(moved.matrix.astype(float), anatomy.matrix)
        expected = turn @ (np.array(before.porus) - anatomy.shift) + moved.shift
        assert np.linalg.norm(expected - after.porus) < 7.0  # the deformation stays where it is


def test_a_canal_is_a_tube_of_a_centimetre(subjects: list[VestibularSubject]) -> None:
    ear = subjects[0].ears[0]
    box = within(ear)
    canal = ear.canal(box)
    volume = canal.sum() * box.voxel_ml * 1000
    radius, length = ear.radius * 0.85, ear.length + 2
    assert volume == pytest.approx(np.pi * radius**2 * length, rel=0.25)
    depth, distance = ear.along(box)
    assert depth[canal > 0.5].max() == pytest.approx(ear.length, abs=0.6)
    assert distance[canal > 0.5].max() < ear.radius + 0.6
    assert ear.canal(box, until=0.5).sum() < 0.7 * canal.sum()
    assert ear.canal(box, flare=0.5).sum() > 1.2 * canal.sum()


def test_a_cochlea_has_the_volume_of_real_ones(subjects: list[VestibularSubject]) -> None:
    """About 0.055 ml, the median of 147; it lies beyond the end of the canal and in one piece."""
    volumes = []
    for subject in subjects:
        for ear in subject.ears:
            box = within(ear)
            cochlea = ear.cochlea(box)
            volumes.append(cochlea.sum() * box.voxel_ml)
            assert ear.along(box)[0][cochlea > 0.5].min() > ear.length - 2
            assert ndimage.label(ear.labyrinth(box) > 0.5)[1] <= 2
    assert np.median(volumes) == pytest.approx(0.055, abs=0.02)


def test_a_head_without_bone_still_gets_ears(drawn_head: Path) -> None:
    anatomy = Anatomy.draw(whole_labelled_head(label_maps(drawn_head)[0]), np.random.default_rng(0))
    for side in (1, -1):
        porus = Ear.draw(anatomy, side, np.random.default_rng(1)).porus
        assert np.linalg.norm(np.array(porus) - (side * 23, -29, -34)) < 12


@pytest.mark.slow
def test_in_real_heads_the_porus_is_near_bone_and_fluid(real_heads: Path) -> None:
    anatomy = Anatomy.draw(whole_labelled_head(label_maps(real_heads)[0]), np.random.default_rng(0))
    for side in (1, -1):
        ear = Ear.draw(anatomy, side, np.random.default_rng(1))
        maps = anatomy.on(within(ear, 10.0))
        assert maps[HEAD.index("bone")].mean() > 0.1
        assert maps[HEAD.index("fluid")].mean() > 0.05
