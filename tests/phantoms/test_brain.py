import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms.brain import PhantomSpec, phantom_subject
from medsearch.phantoms.grids import box_shape, into_box
from medsearch.phantoms.spec import each_subject
from medsearch.phantoms.tissues import NORMAL, TUMOUR
from tests.phantoms.written_phantom import REAL, SPEC, Written

CONTRASTS = ("flair", "t1", "t1ce", "t2")
PURE = 0.8


def test_images_are_stripped_of_the_skull(phantom: Written) -> None:
    for volumes in phantom.volumes:
        brain = volumes["t1"] > 0
        assert 1.1 < brain.sum() * 4.0**3 / 1e6 < 1.9
        for contrast in CONTRASTS:
            np.testing.assert_array_equal(volumes[contrast] > 0, brain)
            assert (volumes[contrast][~brain] == 0).all()


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("tissue", REAL)
def test_written_volumes_have_the_contrast_of_real_ones(phantom: Written, tissue: str, contrast: str) -> None:
    """Medians over voxels of (nearly) one tissue, over white matter's; then the median of the subjects."""
    number = (*NORMAL, *TUMOUR).index(tissue)
    ratios = []
    for volumes, subject in zip(phantom.volumes, phantom.subjects, strict=True):
        white, pure = (into_box(subject.shares[n], subject.grid) > PURE for n in (0, number))
        if np.count_nonzero(pure) > 5:
            ratios.append(np.median(volumes[contrast][pure]) / np.median(volumes[contrast][white]))
    assert len(ratios) >= SPEC.cases // 2
    low, high = REAL[tissue][contrast]
    assert low <= np.median(ratios) <= high


def test_tumours_change_sign_between_t1_and_t2(phantom: Written) -> None:
    """Darker than white matter in T1, brighter in T2 and FLAIR: so a network of one contrast fails on the other."""
    for volumes, subject in zip(phantom.volumes, phantom.subjects, strict=True):
        tumour, white = volumes["mask"] > 0, into_box(subject.shares[0], subject.grid) > PURE
        level = {c: np.median(volumes[c][tumour]) / np.median(volumes[c][white]) for c in CONTRASTS}
        assert level["t1"] < 0.95
        assert min(level["t2"], level["flair"]) > 1.15


def test_shares_are_shares(phantom: Written) -> None:
    for subject in phantom.subjects:
        total = subject.shares.sum(axis=0)
        assert subject.shares.min() > -1e-6
        assert ((total == 0) | (np.abs(total - 1) < 1e-4)).all()


def test_noise_and_bias_are_there_but_moderate(phantom: Written) -> None:
    for subject in phantom.subjects:
        white = subject.images["t1"][subject.shares[0] > 0.97].astype(float)
        assert 0.02 < white.std() / white.mean() < 0.15


def test_contrasts_of_different_subjects_have_different_gains(phantom: Written) -> None:
    levels = [np.median(volumes["t2"][volumes["t2"] > 0]) for volumes in phantom.volumes]
    assert np.std(levels) / np.mean(levels) > 0.1


def test_subjects_are_streams_of_their_own() -> None:
    """The third subject is the same in a larger cohort, another in a cohort of another seed."""
    one = phantom_subject(PhantomSpec(cases=3, spacing=8.0, seed=5), 2)
    same = phantom_subject(PhantomSpec(cases=30, spacing=8.0, seed=5), 2)
    other = phantom_subject(PhantomSpec(cases=3, spacing=8.0, seed=6), 2)
    neighbour = phantom_subject(PhantomSpec(cases=3, spacing=8.0, seed=5), 1)
    for contrast in CONTRASTS:
        np.testing.assert_array_equal(one.images[contrast], same.images[contrast])
        assert (one.images[contrast] != other.images[contrast]).any()
        assert (one.images[contrast] != neighbour.images[contrast]).any()


def test_healthy_subjects_come_last_and_only_when_asked() -> None:
    spec = PhantomSpec(cases=3, spacing=8.0, healthy=1)
    grades = [phantom_subject(spec, number).grade for number in range(3)]
    assert [grade == "none" for grade in grades] == [False, False, True]
    assert not phantom_subject(spec, 2).mask.any()


def test_subjects_of_one_head_are_made_together(drawn_head: object) -> None:
    for spec in (PhantomSpec(cases=5), PhantomSpec(cases=3, anatomy=str(drawn_head))):
        written = each_subject(spec, lambda number: 10 * number)
        assert list(written.items()) == [(number, 10 * number) for number in range(spec.cases)]


ML = 4.0**3 / 1000


def halves(mask: np.ndarray) -> tuple[bool, bool]:
    middle = mask.shape[0] // 2
    return bool(mask[:middle].any()), bool(mask[middle:].any())


def test_volumes_are_those_of_gliomas(phantom: Written) -> None:
    whole = np.array([np.count_nonzero(volumes["mask"]) * ML for volumes in phantom.volumes])
    assert whole.min() > 15
    assert whole.max() < 170
    assert 40 < np.median(whole) < 110
    assert whole.std() > 10


def test_most_subjects_have_one_diseased_half(phantom: Written) -> None:
    sides = [halves(volumes["mask"]) for volumes in phantom.volumes]
    assert all(any(side) for side in sides)
    assert sum(side[0] != side[1] for side in sides) >= 0.75 * len(sides)
    assert {(True, False), (False, True)} <= set(sides)


def test_tumours_lie_in_the_band_that_is_cropped(phantom: Written) -> None:
    """Depth 30 to 126 mm of 155, and 64 mm on each side of the midline."""
    for volumes in phantom.volumes:
        mask = volumes["mask"] > 0
        assert mask[30 - 16 : 30 + 16, :, 8:32].sum() >= 0.9 * mask.sum()


def test_tumours_lie_in_the_brain(phantom: Written) -> None:
    for volumes in phantom.volumes:
        assert (volumes["t1"][volumes["mask"] > 0] > 0).all()


def test_labels_follow_the_grade(phantom: Written) -> None:
    grades = [subject.grade for subject in phantom.subjects]
    assert {"HGG", "LGG"} == set(grades)
    for grade, volumes in zip(grades, phantom.volumes, strict=True):
        labels = set(np.unique(volumes["mask"]).astype(int)) - {0}
        assert labels <= {1, 2, 4}
        assert (4 in labels) == (grade == "HGG")
        assert 2 in labels


def test_the_rim_is_around_the_core() -> None:
    """At 2 mm: necrosis touches little but itself and the rim, and the rim lies within the oedema."""
    spec = PhantomSpec(cases=12, spacing=2.0)
    ringed = 0
    for number in (1, 3, 5):
        mask = phantom_subject(spec, number).mask
        if not {1, 4} <= set(np.unique(mask)):
            continue
        ringed += 1
        shell = ndimage.binary_dilation(mask == 1) & (mask != 1)
        assert np.mean(mask[shell] == 4) > 0.8
        assert np.count_nonzero(mask == 2) > 0.2 * np.count_nonzero(mask)
    assert ringed >= 2


def test_oedema_spares_fluid(phantom: Written) -> None:
    for subject in phantom.subjects:
        fluid, oedema = subject.shares[NORMAL.index("fluid")], subject.shares[len(NORMAL) + 1]
        assert np.minimum(fluid, oedema)[fluid > 0.8].max(initial=0) < 0.2


@pytest.mark.parametrize("number", [0, 1])
def test_a_subject_is_the_same_at_every_spacing(phantom: Written, number: int) -> None:
    fine = phantom_subject(PhantomSpec(cases=12, spacing=2.0), number)
    coarse = phantom.subjects[number]
    assert fine.grade == coarse.grade
    assert box_shape(2.0)[0] == 2 * box_shape(4.0)[0]
    volumes = [np.count_nonzero(s.mask) * s.grid.spacing**3 for s in (fine, coarse)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.1)
    for axis in range(3):
        a, b = (
            np.average(np.broadcast_to(s.grid.points()[axis], s.mask.shape), weights=s.mask > 0) for s in (fine, coarse)
        )
        assert a == pytest.approx(b, abs=1.5)
