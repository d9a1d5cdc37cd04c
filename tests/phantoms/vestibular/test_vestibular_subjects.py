import numpy as np
import pytest
from scipy import ndimage

from medsearch.phantoms import CrossModa2022Spec
from medsearch.phantoms.tissues import GROWN, HEAD
from medsearch.phantoms.vestibular.writing import COCHLEA, VS, VestibularSubject, vestibular_subject
from tests.phantoms.vestibular.written_vestibular import SPEC

TISSUES = (*HEAD, *GROWN)
PURE = 0.8


@pytest.fixture(scope="module")
def scanned(subjects: list[VestibularSubject]) -> list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]]:
    """Subjects with their tissues' shares, image and labels."""
    return [(subject, subject.shares(), *subject.scan()) for subject in subjects]


def level(image: np.ndarray, shares: np.ndarray, tissue: str) -> float:
    """The median over voxels that are (nearly) of one tissue."""
    where = shares[TISSUES.index(tissue)] > PURE
    return float(np.median(image[where])) if np.count_nonzero(where) > 8 else np.nan


@pytest.mark.parametrize(
    ("contrast", "tissue", "low", "high"),
    [
        ("ceT1", "schwannoma", 1.25, 1.7),
        ("ceT1", "fluid", 0.2, 0.4),
        ("ceT1", "vessel", 2.0, 3.5),
        ("ceT1", "fat", 1.6, 2.6),
        ("hrT2", "schwannoma", 0.8, 1.1),
        ("hrT2", "fluid", 2.6, 3.5),
        ("hrT2", "grey matter", 0.7, 1.0),
    ],
)
def test_images_have_the_contrast_of_real_ones(
    scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]],
    contrast: str,
    tissue: str,
    low: float,
    high: float,
) -> None:
    """Relative to white matter; around 1.47 and .95 for the tumour, 3.06 for fluid in CISS. Median over subjects."""
    ratios = [
        level(image, shares, tissue) / level(image, shares, "white matter")
        for subject, shares, image, _ in scanned
        if subject.contrast == contrast
    ]
    assert len(ratios) >= 4
    assert low < np.nanmedian(ratios) < high


def test_the_tumour_changes_sign_against_what_is_around_it(
    scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    """Brighter than its surroundings after gadolinium, darker in the bright cistern of CISS."""
    for subject, _, image, labels in scanned:
        tumour = labels == VS
        around = ndimage.binary_dilation(tumour, iterations=2) & ~tumour & (image > 0.3 * np.median(image[tumour]))
        if subject.contrast == "ceT1" and subject.tumour.cyst is None:
            assert np.median(image[tumour]) > np.median(image[around])
        if subject.contrast == "hrT2":
            assert np.median(image[tumour]) < np.mean(image[around])


def test_shares_are_shares(scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    for _, shares, _, _ in scanned:
        assert shares.min() > -1e-5
        assert shares.sum(axis=0).max() < 1 + 1e-4


def test_labels_hold_one_tumour_on_one_side_and_both_cochleas(
    scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    for subject, _, _, labels in scanned:
        assert set(np.unique(labels)) == {0, VS, COCHLEA}
        parts, count = ndimage.label(labels == VS)
        assert np.bincount(parts[parts > 0]).max() > 0.9 * np.count_nonzero(parts), count
        sides = subject.tumour.ear.side * np.broadcast_to(subject.box.points()[0], labels.shape)
        assert sides[labels == VS].min() > 0
        assert min(np.count_nonzero(labels[sides > 0] == COCHLEA), np.count_nonzero(labels[sides < 0] == COCHLEA)) >= 2


def test_both_sides_occur() -> None:
    spec = CrossModa2022Spec(cases=8, spacing=4.0)
    sides = [vestibular_subject(spec, number).tumour.ear.side for number in range(8)]
    assert set(sides) == {1, -1}


def test_the_skull_is_in_place_and_air_is_noise(
    scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    for _, shares, image, _ in scanned:
        air = shares.sum(axis=0) == 0
        assert 0.25 < air.mean() < 0.75
        white = level(image, shares, "white matter")
        assert 0 < np.median(image[air]) < 0.12 * white
        assert image[air].std() > 0
        assert np.median(image[shares[TISSUES.index("bone")] > 0.95]) < 0.15 * white


def test_gains_differ_and_noise_is_moderate(
    scanned: list[tuple[VestibularSubject, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    levels = [level(image, shares, "white matter") for _, shares, image, _ in scanned]
    assert np.std(levels) / np.mean(levels) > 0.1
    for _, shares, image, _ in scanned:
        white = image[shares[0] > 0.95].astype(float)
        assert 0.02 < white.std() / white.mean() < 0.2


def test_volumes_in_layers_are_those_at_once(
    subjects: list[VestibularSubject], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = subjects[0].scan()
    monkeypatch.setattr("medsearch.phantoms.vestibular.writing._LAYER_POINTS", 60_000)
    for one, other in zip(whole, subjects[0].scan(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_subjects_depend_on_seed_and_number_only() -> None:
    """The same person in a larger cohort, unless the larger cohort puts him into another part."""
    one = vestibular_subject(CrossModa2022Spec(cases=10, spacing=4.0, seed=1), 2)
    larger = vestibular_subject(CrossModa2022Spec(cases=20, spacing=4.0, seed=1), 2)
    other = vestibular_subject(CrossModa2022Spec(cases=10, spacing=4.0, seed=2), 2)
    for mine, same, strange in zip(one.scan(), larger.scan(), other.scan(), strict=True):
        np.testing.assert_array_equal(mine, same)
        assert mine.shape == strange.shape
        assert (mine != strange).any()


def test_centres_differ_in_voxels_and_axes(subjects: list[VestibularSubject]) -> None:
    edges = {(SPEC.centre(s.number).name, s.contrast): np.round(np.abs(s.box.steps), 2).tolist() for s in subjects}
    assert edges == {
        ("London", "ceT1"): [1.64, 1.64, 2.73],
        ("London", "hrT2"): [1.73, 1.73, 2.73],
        ("Tilburg", "ceT1"): [2.03, 2.03, 2.73],
        ("Tilburg", "hrT2"): [1.64, 1.64, 2.23],
    }
    for subject in subjects:
        turn = subject.affine[:3, :3] / np.abs(subject.box.steps)
        assert np.sign(np.diag(turn)).tolist() == [-1, -1, 1]
        oblique = np.abs(turn - np.diag((-1, -1, 1))).max()
        assert (oblique == 0) == (SPEC.centre(subject.number).name == "London")
        assert oblique < 0.2


def test_at_the_real_size_voxels_are_those_of_the_data_set() -> None:
    spec = CrossModa2022Spec(spacing=0.41)
    boxes = [vestibular_subject(spec, number).box for number in (0, 1, 40, 41)]
    assert [tuple(np.round(np.abs(box.steps), 2)) for box in boxes] == [
        (0.41, 0.41, 1.5),
        (0.8, 0.8, 1.5),
        (0.5, 0.5, 1.5),
        (0.41, 0.41, 1.0),
    ]
    assert [box.shape[0] for box in boxes] == [500, 256, 384, 512]
