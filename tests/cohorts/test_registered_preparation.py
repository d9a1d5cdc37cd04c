"""Preparation of images as acquired (thesis, section 5.5.1): registered, cut to a block, normalised, and back."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import check
from medsearch.cohorts.cohort import Cohort
from medsearch.cohorts.layouts import layout
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from medsearch.core.records import read_lines
from medsearch.imaging.volumes import read_volume, write_volume
from medsearch.metrics.overlap import dice
from tests.imaging.scanned_head import Scanner, pose

SIZES = layout("crossmoda2022").geometries
TASK = CrossModalityTask(layout="crossmoda2022", source="ceT1", target="hrT2", geometry=SIZES["tiny"])
SCANS = {  # folder, subject: how it was scanned
    ("training_source", "crossmoda2021_ldn_1"): Scanner(contrast="ceT1", moved=pose(1)),
    ("training_source", "crossmoda2022_etz_0"): Scanner(
        (90, 100, 30), (2.1, 1.9, 3.0), pitch=5.0, contrast="ceT1", moved=pose(2)
    ),
    ("training_target", "crossmoda2021_ldn_106"): Scanner(),
    ("validation", "crossmoda2022_etz_105"): Scanner(pitch=-4.0, moved=pose(4)),
}
SOURCES = [subject for (folder, subject) in SCANS if folder == "training_source"]


@dataclass(frozen=True)
class Written:
    root: Path
    cohort: Cohort
    prepared: PreparedVolumes


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Two sources with a tumour on the left, a target of which that is told, and a test case without a mask."""
    root = tmp_path_factory.mktemp("crossmoda")
    for number, ((folder, subject), scanner) in enumerate(SCANS.items()):
        (root / "data" / folder).mkdir(parents=True, exist_ok=True)
        scan = scanner.scan(seed=number, tumour=True)
        write_volume(root / "data" / folder / f"{subject}_{scanner.contrast}.nii.gz", scan.array, scan.affine)
        if folder == "training_source":
            write_volume(root / "data" / folder / f"{subject}_Label.nii.gz", scanner.mask(), scan.affine)
    (root / "data" / "weak_labels.csv").write_text("case,side\ncrossmoda2021_ldn_106,left\n")
    checked = check(root / "data", "crossmoda2022")
    assert checked.findings == ()
    return Written(root, checked.cohort, prepare(checked.cohort, "f", task=TASK, folder=root / "arrays"))


def test_every_case_lies_in_the_block_of_the_thesis(written: Written) -> None:
    prepared = written.prepared
    millimetres = np.array(prepared.shape) * prepared.spacing
    assert prepared.shape == (16, 64, 64)
    np.testing.assert_allclose(millimetres, (60, 256 * 0.41, 256 * 0.41), atol=0.1)
    assert prepared.record["atlas"] == "crossmoda2021_ldn_106"
    assert "16x64x64" in prepared.directory.name


def test_each_image_is_normalised_over_what_was_scanned(written: Written) -> None:
    for case in written.cohort.cases:
        (contrast,) = case.images
        image = written.prepared.image(contrast)[written.prepared.index(case.subject)].astype(np.float64)
        assert np.count_nonzero(image) > 0.8 * image.size
        values = image[image != 0]
        assert (values.mean(), values.std()) == pytest.approx((0, 0.2), abs=0.02)
        assert np.abs(image).max() <= 1


def test_tumours_of_different_heads_fall_on_each_other_left_of_the_middle(written: Written) -> None:
    """And a cochlea is no tumour."""
    centres = []
    for subject in SOURCES:
        mask = written.prepared.mask[written.prepared.index(subject)]
        centres.append(np.argwhere(mask).mean(0) * written.prepared.spacing)
        litres = mask.sum() * written.prepared.record["voxel_volume"]
        assert litres == pytest.approx(4 / 3 * np.pi * 9 * 8 * 8, rel=0.3)
        assert written.prepared.case(subject)["presence"] == [False, True]
    assert np.linalg.norm(centres[0] - centres[1]) < 3
    middle = np.array(written.prepared.shape) * written.prepared.spacing / 2
    assert np.abs(np.mean(centres, axis=0) - middle)[:2] == pytest.approx([0, 0], abs=4)
    assert np.mean(centres, axis=0)[2] - middle[2] == pytest.approx(26, abs=4)


def test_a_mask_comes_back_to_the_file_it_was_made_from(written: Written) -> None:
    for case in written.cohort.cases:
        if case.mask is None:
            continue
        volume = read_volume(case.mask)
        found, affine = written.prepared.to_native(
            case.subject, written.prepared.mask[written.prepared.index(case.subject)]
        )
        np.testing.assert_allclose(affine, volume.affine)
        assert (found.shape, found.dtype) == (volume.array.shape, np.uint8)
        assert dice(found, (volume.array == 1).astype(np.uint8)) > 0.75


def test_what_is_not_on_the_prepared_grid_has_no_way_back(written: Written) -> None:
    with pytest.raises(BadInput, match=r"crossmoda2022_etz_0: the mask has \(z, y, x\) grid \(2, 2, 2\)"):
        written.prepared.to_native("crossmoda2022_etz_0", np.zeros((2, 2, 2), np.uint8))


def test_a_view_has_the_weak_label_of_the_table_and_no_mask_of_a_test_case(written: Written) -> None:
    view = TaskView(written.prepared, TASK, TASK.parts)
    assert view.presence("target", "train", "crossmoda2021_ldn_106") == (False, True)
    assert view.presence("source", "train", view.subjects("source", "train")[0]) == (False, True)
    assert view.mask("target", "test", "crossmoda2022_etz_105") is None
    assert view.subjects("source", "test") == view.subjects("target", "validation") == ()
    with pytest.raises(BadInput, match="crossmoda2022_etz_105 has neither a weak label nor a mask"):
        view.presence("target", "test", "crossmoda2022_etz_105")


def test_another_scale_remembers_how_the_cases_lie(written: Written, tmp_path: Path) -> None:
    """Its images are noise here, of which no registration could be made again."""
    folder = written.root / "arrays"
    task = dataclasses.replace(TASK, geometry=SIZES["small"])
    cases = []
    for case in written.cohort.cases:
        (contrast,) = case.images
        scan = read_volume(case.images[contrast])
        if case.subset == "source":
            noise = np.random.default_rng(0).uniform(1, 9, scan.array.shape).astype(np.float32)
            write_volume(tmp_path / f"{case.subject}.nii.gz", noise, scan.affine)
            case = dataclasses.replace(case, images={contrast: tmp_path / f"{case.subject}.nii.gz"})
        cases.append(case)
    again = prepare(dataclasses.replace(written.cohort, cases=tuple(cases)), "f", task=task, folder=folder)
    assert again.shape == (32, 128, 128)
    assert [case["laid"] for case in again.record["cases"]] == [
        case["laid"] for case in written.prepared.record["cases"]
    ]
    assert len(list(read_lines(folder / "laid-f.jsonl"))) == len(SCANS)


def test_a_case_that_cannot_be_registered_is_named(written: Written, tmp_path: Path) -> None:
    first = written.cohort.cases[0]
    noise = np.random.default_rng(0).uniform(1, 9, (40, 40, 20)).astype(np.float32)
    write_volume(tmp_path / "noise.nii.gz", noise, np.diag([-4.0, -4.0, 4.0, 1.0]))
    bad = dataclasses.replace(first, images={"ceT1": tmp_path / "noise.nii.gz"}, mask=None)
    cohort = dataclasses.replace(written.cohort, cases=(bad, written.cohort.cases[2]))
    with pytest.raises(BadInput, match=r"crossmoda2021_ldn_1 cannot be laid on the atlas \(crossmoda2021_ldn_106\)"):
        prepare(cohort, "g", task=TASK, folder=tmp_path / "arrays")
    assert not list((tmp_path / "arrays").glob("prepared-*"))
