import dataclasses
import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from medsearch.cohorts import preparation
from medsearch.cohorts.atomic_folder import CASES, FILES
from medsearch.cohorts.cohort import Case, Cohort
from medsearch.cohorts.layouts import layout
from medsearch.cohorts.layouts.brats import RELEASES
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.core.records import write_json
from medsearch.imaging.geometry import bounding_box
from medsearch.imaging.volumes import write_volume
from tests.cohorts.conftest import CONTRASTS, LPS

TASK = CrossModalityTask(geometry=layout("brats2020").geometries["tiny"])
JOINT = dataclasses.replace(TASK, normalisation="joint")

Writer = Callable[..., Cohort]


def brain_values(prepared: PreparedVolumes, contrast: str, case: int) -> np.ndarray:
    image = prepared.image(contrast)[case].astype(np.float64)
    return image[image != 0]


def everything(prepared: PreparedVolumes) -> list[np.ndarray]:
    return [np.array(prepared.image(contrast)) for contrast in prepared.record["contrasts"]] + [np.array(prepared.mask)]


def test_each_contrast_has_mean_zero_and_a_fifth_as_sd(write_cohort: Writer, tmp_path: Path) -> None:
    prepared = prepare(write_cohort(3), "f", task=TASK, folder=tmp_path / "arrays")
    for contrast in ("flair", "t1", "t2"):
        for case in range(3):
            values = brain_values(prepared, contrast, case)
            assert values.size == 8 * 9 * 8
            assert values.mean() == pytest.approx(0, abs=1e-4)
            assert values.std() == pytest.approx(0.2, abs=1e-4)


def test_joint_statistics_are_over_all_contrasts(write_cohort: Writer, tmp_path: Path) -> None:
    cohort = write_cohort(2)
    prepared = prepare(cohort, "f", task=JOINT, folder=tmp_path / "arrays")
    values = np.concatenate([brain_values(prepared, contrast, 0) for contrast in cohort.contrasts])
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert values.std() == pytest.approx(0.2, abs=1e-4)
    assert abs(brain_values(prepared, "t1", 0).mean()) > 1e-3
    assert prepared.directory != tmp_path / "arrays" / TASK.folder_name("f")


def test_outliers_are_clipped(write_case: Callable[..., Case], head: Callable[..., tuple], tmp_path: Path) -> None:
    images, mask = head(np.random.default_rng(0))
    images["t1"][5, 5, 5] = 1e6
    cohort = Cohort("x", tmp_path, "brats2020", tuple(images), (write_case(tmp_path / "a", images, mask),))
    image = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays").image("t1")[0]
    assert image.max() == 1
    assert image[5, 5, 5] == 1
    assert image.dtype == np.float16


def test_mask_and_image_stay_aligned(
    write_case: Callable[..., Case], head: Callable[..., tuple], tmp_path: Path
) -> None:
    """A tumour that is the brightest part of the image is where the mask is, also in a file of another orientation."""
    images, mask = head(np.random.default_rng(3))
    images = {contrast: image + 1000 * (mask > 0) for contrast, image in images.items()}
    straight = write_case(tmp_path / "a", images, mask)
    turned_images = {contrast: np.flip(image, (0, 1)) for contrast, image in images.items()}
    ras = np.diag([4.0, 4.0, 4.0, 1.0])
    turned = write_case(tmp_path / "b", turned_images, np.flip(mask, (0, 1)), affine=ras)
    cohort = Cohort("x", tmp_path, "brats2020", tuple(images), (straight, turned))
    prepared = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    np.testing.assert_array_equal(prepared.image("t2")[0] > 0.3, prepared.mask[0])
    np.testing.assert_array_equal(prepared.image("t2")[0], prepared.image("t2")[1])
    np.testing.assert_array_equal(prepared.mask[0], prepared.mask[1])
    np.testing.assert_array_equal(prepared.mask[0], (mask > 0).transpose(2, 1, 0))


def test_record_tells_what_the_arrays_hold(write_cohort: Writer, tmp_path: Path) -> None:
    cohort = write_cohort(4)
    prepared = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    assert prepared.subjects == cohort.subjects
    assert (prepared.shape, prepared.spacing, prepared.record["voxel_volume"]) == ((10, 14, 12), (4.0, 4.0, 4.0), 64.0)
    for case, subject in enumerate(cohort.subjects):
        mask = prepared.mask[case]
        assert prepared.index(subject) == case
        assert prepared.boxes[case] == bounding_box(prepared.image("t1")[case] != 0) == ((1, 9), (3, 12), (2, 10))
        assert prepared.presence[case].tolist() == [mask[..., :6].any(), mask[..., 6:].any()]


def test_arrays_made_when_voxels_had_one_edge_are_read(write_cohort: Writer, tmp_path: Path) -> None:
    """They lie in a folder of the same name, and stages that were trained on them keep their keys."""
    prepared = prepare(write_cohort(4), "f", task=TASK, folder=tmp_path / "arrays")
    record = {name: value for name, value in prepared.record.items() if name != "spacing"}
    write_json(prepared.directory / CASES, {**record, "spacing": 4.0})
    (prepared.directory / FILES).unlink()  # nor did they keep digests then
    assert PreparedVolumes(prepared.directory).spacing == prepared.spacing == (4.0, 4.0, 4.0)


def test_arrays_are_made_once_and_shared_read_only(write_cohort: Writer, tmp_path: Path) -> None:
    cohort = write_cohort(3)
    first = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    before = {path: path.stat().st_mtime_ns for path in first.directory.iterdir()}
    shutil.rmtree(cohort.root)
    again = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    assert {path: path.stat().st_mtime_ns for path in again.directory.iterdir()} == before
    assert isinstance(again.image("t1"), np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        again.mask[0, 0, 0, 0] = 1


def test_only_the_path_travels_between_processes(write_cohort: Writer, tmp_path: Path) -> None:
    prepared = prepare(write_cohort(3), "f", task=TASK, folder=tmp_path / "arrays")
    prepared.image("t1")
    sent = pickle.dumps(prepared)
    assert len(sent) < 1000
    for one, other in zip(everything(pickle.loads(sent)), everything(prepared), strict=True):  # noqa: S301
        np.testing.assert_array_equal(one, other)


def _prepare(cohort: Cohort, folder: Path, kill_at: str | None = None) -> None:
    if kill_at:
        read = preparation.read_volume

        def read_or_die(path: Path) -> object:
            if kill_at in str(path):
                os.kill(os.getpid(), signal.SIGKILL)
            return read(path)

        preparation.read_volume = read_or_die
    prepare(cohort, "f", task=TASK, folder=folder)


def test_processes_that_ask_at_once_get_the_same_arrays(write_cohort: Writer, tmp_path: Path) -> None:
    cohort, folder = write_cohort(6), tmp_path / "arrays"
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=_prepare, args=(cohort, folder)) for _ in range(2)]
    for process in others:
        process.start()
    for process in others:
        process.join(60)
    assert [process.exitcode for process in others] == [0, 0]
    assert [path.name for path in folder.glob("[!.]*")] == [TASK.folder_name("f")]
    alone = prepare(cohort, "f", task=TASK, folder=tmp_path / "alone")
    for one, other in zip(everything(prepare(cohort, "f", task=TASK, folder=folder)), everything(alone), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_kill_leaves_nothing_half_made(write_cohort: Writer, tmp_path: Path) -> None:
    cohort, folder = write_cohort(6), tmp_path / "arrays"
    process = multiprocessing.get_context("spawn").Process(target=_prepare, args=(cohort, folder, "case-04"))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (folder / TASK.folder_name("f")).exists()
    prepared = prepare(cohort, "f", task=TASK, folder=folder)
    alone = prepare(cohort, "f", task=TASK, folder=tmp_path / "alone")
    for one, other in zip(everything(prepared), everything(alone), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_folder_without_its_record_is_made_again(write_cohort: Writer, tmp_path: Path) -> None:
    cohort = write_cohort(3)
    prepared = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    (prepared.directory / "cases.json").unlink()
    assert prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays").subjects == cohort.subjects


def test_case_without_a_mask_is_not_annotated(
    write_case: Callable[..., Case], head: Callable[..., tuple], tmp_path: Path
) -> None:
    images, _ = head(np.random.default_rng(0))
    cohort = Cohort("x", tmp_path, "brats2020", tuple(images), (write_case(tmp_path / "a", images, None),))
    prepared = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    assert not prepared.case("a")["annotated"]
    assert not prepared.mask[0].any()


def _another_grid(images: dict[str, np.ndarray], mask: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {**images, "t2": images["t2"][:-1]}, mask


def _mask_on_another_grid(images: dict[str, np.ndarray], mask: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return images, mask[:, :-1]


def _flat(images: dict[str, np.ndarray], mask: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {**images, "t2": np.full_like(images["t2"], 7)}, mask


def _black(images: dict[str, np.ndarray], mask: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {**images, "t2": np.zeros_like(images["t2"])}, mask


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (_another_grid, r"case bad: .*t2.nii.gz has \(z, y, x\) grid \(10, 14, 11\), the cohort \(10, 14, 12\)"),
        (_mask_on_another_grid, r"case bad: .*seg.nii.gz has \(z, y, x\) grid"),
        (_flat, r"case bad: .*t2.nii.gz is constant over the brain"),
        (_black, r"case bad: .*t2.nii.gz is constant over the brain"),
    ],
)
def test_unusable_case_is_named(
    broken: Callable[..., tuple],
    says: str,
    write_case: Callable[..., Case],
    head: Callable[..., tuple],
    tmp_path: Path,
) -> None:
    good, mask = head(np.random.default_rng(0))
    cases = write_case(tmp_path / "good", good, mask), write_case(tmp_path / "bad", *broken(good, mask))
    cohort = Cohort("x", tmp_path, "brats2020", tuple(good), cases)
    with pytest.raises(BadInput, match=says):
        prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    assert not (tmp_path / "arrays" / TASK.folder_name("f")).exists()


def test_empty_cohort_and_unknown_names_are_refused(write_cohort: Writer, tmp_path: Path) -> None:
    cohort = write_cohort(2)
    with pytest.raises(BadInput, match="no usable case"):
        prepare(cohort.without(cohort.subjects), "f", task=TASK, folder=tmp_path / "arrays")
    prepared = prepare(cohort, "f", task=TASK, folder=tmp_path / "arrays")
    with pytest.raises(BadInput, match="no contrast 't1ce' in the cohort; it has flair, t1, t2"):
        prepared.image("t1ce")
    with pytest.raises(BadInput, match="no subject 'nobody'"):
        prepared.index("nobody")


def test_a_full_disk_is_refused_before_anything_is_written(
    write_cohort: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(BadInput, match=r"need .* GB, 0.0 GB are free"):
        prepare(write_cohort(), "f", task=TASK, folder=tmp_path / "arrays")
    assert not list((tmp_path / "arrays").rglob("*.npy"))


@pytest.mark.parametrize("name", ["brats2021", "brats2023"])
def test_every_release_of_brats_gives_the_same_arrays(name: str, head: Callable[..., tuple], tmp_path: Path) -> None:
    """The same people under other names, and in 2023 with another number for enhancing tumour."""
    made = {}
    for release in RELEASES:
        if release.name not in ("brats2020", name):
            continue
        rng, subjects = np.random.default_rng(0), ("BraTS-GLI-00001-000", "BraTS-GLI-00001-001", "BraTS-GLI-00002-000")
        for subject in subjects:
            images, mask = head(rng)
            (tmp_path / release.name / subject).mkdir(parents=True)
            labelled = np.where(mask == 4, release.tumour[-1], mask).astype(np.uint8)
            for kind, array in {**images, "mask": labelled}.items():
                write_volume(tmp_path / release.name / subject / release.names.file(subject, kind), array, LPS)
        cohort = release.scan(tmp_path / release.name, required=CONTRASTS).cohort.only(CONTRASTS)
        task = dataclasses.replace(TASK, layout=release.name)
        made[release.name] = prepare(cohort, release.name, task=task, folder=tmp_path / "arrays")
    for one, other in zip(*map(everything, made.values()), strict=True):
        np.testing.assert_array_equal(one, other)
    people = made[name].roster.patients
    assert len({*people.values()}) == (2 if name == "brats2023" else 0)
