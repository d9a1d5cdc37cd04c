import csv
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsearch.cohorts.checks import check
from medsearch.core.errors import BadInput
from medsearch.core.records import read_json
from medsearch.imaging.volumes import read_volume
from medsearch.phantoms import CrossModa2021Spec, CrossModa2022Spec, PhantomSpec, write_crossmoda
from medsearch.phantoms.vestibular.writing import VestibularSubject
from tests.phantoms.vestibular.written_vestibular import SPEC, WrittenCohort

TINY = CrossModa2022Spec(cases=3, spacing=4.0, seed=3)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_phantom_passes_the_check_of_its_layout(cohort: WrittenCohort) -> None:
    checked = check(cohort.root, "crossmoda2022")
    assert checked.findings == ()
    assert checked.cohort.phantom
    assert Counter(case.subset for case in checked.usable.cases) == {"source": 4, "target": 4, "test": 2}


def test_parts_hold_what_the_challenge_gave_and_labels_to_score_by(cohort: WrittenCohort) -> None:
    kinds = {case.subset: set(case.files) for case in cohort.found.cases}
    assert kinds == {"source": {"ceT1", "mask"}, "target": {"hrT2"}, "test": {"hrT2", "mask"}}
    names = sorted(case.subject for case in cohort.found.cases)
    london = [f"crossmoda2021_ldn_{number}" for number in range(1, 6)]
    assert names == sorted([*london, *(f"crossmoda2022_etz_{number}" for number in range(5))])
    record = read_json(cohort.root / "phantom.json")
    assert record["fingerprint"] == SPEC.fingerprint


def test_sides_are_told_of_target_cases_and_are_the_patients_own(
    cohort: WrittenCohort, subjects: list[VestibularSubject]
) -> None:
    told = rows(cohort.root / "weak_labels.csv")
    assert len(told) == 4
    for row in told:
        number = next(n for n in range(SPEC.cases) if SPEC.name(n) == row["case"])
        to_scanner = subjects[number].affine @ np.linalg.inv(subjects[number].box.affine)
        world = (to_scanner[:3, :3] @ (subjects[number].tumour.centre[0], 0, 0))[0]
        assert row["side"] == ("right" if world > 0 else "left")
        assert cohort.case(number).presence == ((True, False) if world > 0 else (False, True))


def test_the_table_of_centres_lists_source_cases(cohort: WrittenCohort) -> None:
    infos = rows(cohort.root / "infos_source_training.csv")
    assert [row["crossmoda_name"] for row in infos] == [SPEC.name(number) for number in range(4)]
    assert [row["center"] for row in infos] == ["London", "Tilburg"] * 2
    assert {row["group"] for row in infos} == {"training_source"}


def test_files_hold_the_subject(cohort: WrittenCohort, subjects: list[VestibularSubject]) -> None:
    for number in (1, 8):
        image, labels = subjects[number].scan()
        files = cohort.case(number).files
        stored = read_volume(files[subjects[number].contrast])
        np.testing.assert_array_equal(stored.array, image)
        np.testing.assert_allclose(stored.affine, subjects[number].affine, atol=1e-4)
        np.testing.assert_array_equal(read_volume(files["mask"]).array.round(), labels)


@pytest.fixture(scope="module")
def many_labels(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, np.ndarray, float]]:
    """Of a cohort with coarse voxels: the centre's prefix, the labels' values, how far their affine is off."""
    root = write_crossmoda(CrossModa2022Spec(cases=16, spacing=5.0, seed=0), tmp_path_factory.mktemp("many") / "cohort")
    found = []
    for path in sorted(root.glob("*/*_Label.nii.gz")):
        image = next(other for other in path.parent.glob(path.name.replace("Label", "*")) if other != path)
        affines = [np.asarray(nibabel.load(one).affine) for one in (path, image)]
        found.append((path.name[:17], read_volume(path).array, float(np.abs(affines[0] - affines[1]).max())))
    return found


def test_some_affines_of_labels_are_a_little_off(many_labels: list[tuple[str, np.ndarray, float]]) -> None:
    off = np.array([far for *_, far in many_labels])
    assert 0 < np.count_nonzero(off) < len(off)
    assert off.max() <= 5e-4


def test_labels_of_tilburg_have_to_be_rounded(many_labels: list[tuple[str, np.ndarray, float]]) -> None:
    for prefix in ("crossmoda2021_ldn", "crossmoda2022_etz"):
        labels = [values for name, values, _ in many_labels if name == prefix]
        odd = [not np.array_equal(values, values.round()) for values in labels]
        assert len(labels) == 5
        assert any(odd) == (prefix == "crossmoda2022_etz")
        assert all(np.abs(values - values.round()).max() < 1e-6 for values in labels)
        assert all({0, 1} <= set(np.unique(values.round())) <= {0, 1, 2} for values in labels)


def test_2021_has_london_only(tmp_path: Path) -> None:
    spec = CrossModa2021Spec(cases=4, spacing=4.0)
    checked = check(write_crossmoda(spec, tmp_path / "cohort"), "crossmoda2021")
    assert checked.findings == ()
    assert checked.cohort.subjects == tuple(f"crossmoda2021_ldn_{number}" for number in range(1, 5))


def test_the_same_specification_gives_the_same_bytes(tmp_path: Path) -> None:
    one = content(write_crossmoda(TINY, tmp_path / "one"))
    assert content(write_crossmoda(TINY, tmp_path / "two")) == one
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}
    assert write_crossmoda(TINY, tmp_path / "one") == tmp_path / "one"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")} == times
    with pytest.raises(BadInput, match="holds something else"):
        write_crossmoda(CrossModa2021Spec(cases=3, spacing=4.0, seed=3), tmp_path / "one")


def test_label_maps_take_the_place_of_mni152_here_too(drawn_head: Path, tmp_path: Path) -> None:
    spec = CrossModa2022Spec(cases=3, spacing=4.0, anatomy=str(drawn_head))
    checked = check(write_crossmoda(spec, tmp_path / "cohort"), "crossmoda2022")
    assert checked.findings == ()


def test_fingerprints_follow_the_layout_and_what_is_asked() -> None:
    changes = ({}, {"cases": 9}, {"spacing": 2.0}, {"seed": 7})
    prints = {spec(**change).fingerprint for spec in (CrossModa2021Spec, CrossModa2022Spec) for change in changes}
    assert len(prints) == 8


def test_cases_are_divided_as_in_the_data_set() -> None:
    spec = CrossModa2022Spec()
    assert Counter(map(spec.subset, range(spec.cases))) == {"source": 20, "target": 20, "test": 8}
    assert Counter(map(CrossModa2022Spec(cases=3).subset, range(3))) == {"source": 1, "target": 1, "test": 1}
    assert {spec.centre(number).name for number in range(20)} == {"London", "Tilburg"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"cases": 2}, "an integer of 3 or more, got 2"),
        ({"healthy": 1}, "every CrossMoDA case has a tumour"),
        ({"spacing": 8.0}, "a number from 0.3 to 5, got 8.0"),
        ({"spacing": float("nan")}, "got nan"),
    ],
)
def test_impossible_cohorts_are_refused(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        CrossModa2022Spec(**wrong)


def test_another_phantoms_specification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="PhantomSpec specifies another phantom"):
        write_crossmoda(PhantomSpec(), tmp_path / "cohort")
