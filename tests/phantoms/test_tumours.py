import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms.brain import PhantomSpec, phantom_subject
from medsearch.phantoms.grids import box_shape
from medsearch.phantoms.tissues import NORMAL
from tests.phantoms.written_phantom import Written

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
