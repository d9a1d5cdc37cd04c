"""Files of images are read once to be hashed and inspected and once to be prepared, whatever a volume is made of."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.cohort import Case, Cohort, fingerprint
from medsearch.cohorts.inspection import DIGESTS, inspect_cases
from medsearch.cohorts.layouts import layout
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.tasks import CrossModalityTask, SynthesisTask, Task
from medsearch.imaging.geometry import AxialGeometry
from medsearch.imaging.image_files import UnreadableVolume, files_of, read_files
from medsearch.imaging.volumes import write_volume
from tests.cohorts import planted

_opened: Counter[Path] = Counter()
_watched: set[Path] = set()


def _noted(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watched and (path := Path(str(arguments[0]))) in _watched:
        _opened[path] += 1


sys.addaudithook(_noted)


@pytest.fixture(autouse=True)
def _forget() -> None:
    _opened.clear()
    _watched.clear()


def heads(tmp_path: Path, write_cohort: Callable[..., Cohort]) -> tuple[Cohort, Task]:
    return write_cohort(3), CrossModalityTask(geometry=layout("brats2020").geometries["tiny"])


def stacks(tmp_path: Path, write_cohort: Callable[..., Cohort]) -> tuple[Cohort, Task]:
    """A series of DICOM files, and a CT as NIfTI."""
    series = planted.write(tmp_path / "series")
    write_volume(tmp_path / "ct.nii.gz", planted.volume(1), np.diag([-2.0, -2.0, 5.0, 1.0]))
    cases = (Case("a", {"CT": series}, None), Case("b", {"CT": tmp_path / "ct.nii.gz"}, None))
    return Cohort("c", tmp_path, "abdominal_ct", ("CT",), cases), SynthesisTask(geometry=AxialGeometry(slice_size=8))


@pytest.mark.parametrize("written", [heads, stacks])
def test_every_file_is_read_once_to_be_checked_and_once_to_be_prepared(
    written: Callable[..., tuple[Cohort, Task]], tmp_path: Path, write_cohort: Callable[..., Cohort]
) -> None:
    cohort, task = written(tmp_path, write_cohort)
    files = [case.files for case in cohort.cases]
    _watched.update(file for paths in files for path in paths.values() for file in files_of(path))
    cache = tmp_path / "cache"
    facts = inspect_cases(files, cache)
    content = fingerprint(cohort, cache / DIGESTS)
    assert _opened == Counter(_watched)
    prepare(cohort, content, task=task, folder=tmp_path / "arrays")
    assert _opened == Counter(dict.fromkeys(_watched, 2))
    _opened.clear()  # the same cohort again: each file is opened to see that it may be read, and nothing is prepared
    assert inspect_cases(files, cache) == facts
    assert fingerprint(cohort, cache / DIGESTS) == content
    prepare(cohort, content, task=task, folder=tmp_path / "arrays")
    assert _opened == Counter(_watched)


@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_became_unreadable_is_found_though_it_is_known(known: bool, tmp_path: Path) -> None:
    """A link whose file is gone: neither its size nor its time can tell."""
    real, link = tmp_path / "real.nii.gz", tmp_path / "link.nii.gz"
    write_volume(real, np.ones((2, 3, 4), np.int16), np.eye(4))
    link.symlink_to(real)
    if known:
        assert inspect_cases([{"t1": link}], tmp_path / "cache")[0].files["t1"].problem is None
    real.unlink()
    assert inspect_cases([{"t1": link}], tmp_path / "cache")[0].files["t1"].problem == (
        "is a link to a file that does not exist"
    )


def test_folders_within_a_volumes_folder_are_no_files_of_it(tmp_path: Path) -> None:
    (tmp_path / "series" / "inner").mkdir(parents=True)
    (tmp_path / "series" / "1.dcm").write_bytes(b"one")
    assert read_files(tmp_path / "series") == {tmp_path / "series" / "1.dcm": b"one"}
    (tmp_path / "series" / "2.dcm").touch()
    with pytest.raises(UnreadableVolume, match=r"2\.dcm: is empty \(0 bytes\); copy or download it again"):
        read_files(tmp_path / "series")
