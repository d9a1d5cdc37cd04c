from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms import CrossModa2022Spec
from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.grids import Box
from medsearch.phantoms.templates import label_maps, mni152_head, whole_labelled_head
from medsearch.phantoms.tissues import HEAD
from medsearch.phantoms.vestibular.ears import Ear, Schwannoma
from medsearch.phantoms.vestibular.spec import posed
from medsearch.phantoms.vestibular.writing import VestibularSubject, vestibular_subject
from tests.phantoms.vestibular.written_vestibular import SPEC, Shape


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


def grown(anatomy: Anatomy, tumour: Schwannoma, step: float = 1.0) -> tuple[Box, np.ndarray, np.ndarray]:
    """A box around the tumour, its share of each voxel, and the normal tissue beside it."""
    box = Box.around(tumour.centre, (50,) * 3, (step,) * 3)
    normal = anatomy.on(box, tumour.push)
    return box, tumour.grown(normal, box), normal


def shape(box: Box, share: np.ndarray) -> Shape:
    where = np.argwhere(share > 0.5)
    points = np.stack([axis[index] for axis, index in zip(box.axes, where.T, strict=True)], axis=1)
    return Shape.of(points, len(where) * box.voxel_ml)


@pytest.fixture(scope="module")
def many() -> list[tuple[Schwannoma, Shape]]:
    """Thirty tumours, all in one head."""
    anatomy, found = Anatomy.draw(mni152_head(), np.random.default_rng(0)), []
    ears = [Ear.draw(anatomy, side, np.random.default_rng(1)) for side in (1, -1)]
    for number in range(30):
        tumour = Schwannoma.draw(anatomy, ears[number % 2], np.random.default_rng(number))
        box, share, _ = grown(anatomy, tumour)
        found.append((tumour, shape(box, share)))
    return found


REAL = [
    Shape(volume, half_axes, np.full(3, np.nan), fullness)
    for volume, half_axes, fullness in (
        (3.441, (12.22, 8.68, 8.35), 0.927),
        (1.140, (8.73, 6.50, 5.26), 0.912),
        (2.586, (10.95, 8.17, 7.71), 0.895),
        (1.953, (8.97, 8.12, 6.69), 0.958),
        (7.715, (14.16, 11.94, 11.74), 0.928),
        (0.384, (5.59, 4.53, 3.76), 0.963),
    )
]
"""Six tumours of Vestibular-Schwannoma-SEG (Shapey et al. 2021, TCIA), from their contours filled at 0.2 mm; without
their directions."""


def test_volumes_are_those_of_the_data_set(many: list[tuple[Schwannoma, Shape]]) -> None:
    volumes = np.array([found.volume for _, found in many])
    assert volumes.min() > 0.15
    assert volumes.max() < 10
    assert 1.0 < np.median(volumes) < 3.0
    assert np.log(volumes).std() > 0.5


def test_real_contours_have_such_volumes_and_shapes(many: list[tuple[Schwannoma, Shape]]) -> None:
    made = [found for _, found in many]
    for measure in (
        lambda one: np.log(one.volume),
        lambda one: one.half_axes[0] / one.half_axes[2],
        lambda one: one.half_axes[0] / one.half_axes[1],
        lambda one: one.fullness,
    ):
        of_real, of_made = [measure(one) for one in REAL], [measure(one) for one in made]
        spread = np.ptp(of_real)
        assert min(of_made) - spread / 2 < min(of_real)
        assert max(of_real) < max(of_made) + spread / 2
        assert min(of_real) - spread / 2 < np.median(of_made) < max(of_real) + spread / 2


def test_bodies_are_nearly_ellipsoids(many: list[tuple[Schwannoma, Shape]]) -> None:
    for _, found in many:
        assert found.half_axes[0] / found.half_axes[2] < 3
        assert 0.7 < found.fullness < 1.2


def test_large_ones_reach_from_the_porus_into_the_cistern(many: list[tuple[Schwannoma, Shape]]) -> None:
    for tumour, found in many:
        inwards = tumour.ear.side * (tumour.ear.porus[0] - tumour.centre[0])
        assert inwards > 0.3 * (3000 * found.volume / (4 * np.pi)) ** (1 / 3) * 0.6
        assert tumour.ear.side * tumour.centre[0] > 4


def test_a_tumour_keeps_to_its_side_and_out_of_bone(subjects: list[VestibularSubject]) -> None:
    for subject in subjects:
        tumour, anatomy = subject.tumour, subject.anatomy
        box, share, normal = grown(anatomy, tumour)
        to_template = anatomy.template.to_voxels
        voxels = anatomy.places(box, tumour.push)
        x = (np.linalg.inv(to_template) @ np.concatenate([voxels.reshape(3, -1), np.ones((1, voxels[0].size))]))[0]
        assert (tumour.ear.side * x.reshape(share.shape)[share > 0.5]).min() > 0
        bone = normal[HEAD.index("bone")] + normal[HEAD.index("marrow")]
        outside_canal = tumour.ear.canal(box, flare=0.5) < 0.01
        assert (share + bone)[outside_canal].max() < 1.01


def test_it_is_bathed_in_fluid(subjects: list[VestibularSubject]) -> None:
    """Brain gives way to a cleft of fluid around it: none of the voxels that touch the body is pure brain."""
    for subject in subjects[:4]:
        box, share, bathed = grown(subject.anatomy, subject.tumour)
        before = subject.anatomy.on(box, subject.tumour.push)
        fluid = HEAD.index("fluid")
        assert (bathed[fluid] >= before[fluid] - 1e-6).all()
        np.testing.assert_allclose(bathed.sum(axis=0), before.sum(axis=0), atol=1e-5)
        touching = (share > 0.05) & (share < 0.5)
        assert bathed[fluid][touching].sum() > before[fluid][touching].sum()


def test_some_are_cystic_and_some_are_mixed() -> None:
    anatomy = Anatomy.draw(mni152_head(), np.random.default_rng(0))
    ear = Ear.draw(anatomy, 1, np.random.default_rng(1))
    drawn = [Schwannoma.draw(anatomy, ear, np.random.default_rng(number)) for number in range(40)]
    assert 3 <= sum(tumour.cyst is not None for tumour in drawn) <= 14
    assert 4 <= sum(tumour.mixture > 0.2 for tumour in drawn) <= 18
    for tumour in drawn[:8]:
        box, share, _ = grown(anatomy, tumour)
        loose = tumour.loose(box)
        assert 0 <= loose.min() <= loose.max() <= 1
        middle = loose[share > 0.5].mean()
        assert middle < (0.85 if tumour.cyst or tumour.mixture > 0.2 else 0.15)


def test_a_subject_is_the_same_at_every_voxel_size(subjects: list[VestibularSubject]) -> None:
    coarse = subjects[7]
    fine = vestibular_subject(CrossModa2022Spec(cases=SPEC.cases, seed=SPEC.seed, spacing=1.1), 7)
    assert fine.tumour.centre == coarse.tumour.centre
    assert np.prod(fine.box.shape) > 2 * np.prod(coarse.box.shape)
    volumes = [np.count_nonzero(one.scan()[1] == 1) * one.box.voxel_ml for one in (fine, coarse)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.15)
