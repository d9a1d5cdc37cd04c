import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medsearch.cohorts.cohort import Case, Cohort, Finding, fingerprint
from medsearch.cohorts.layouts import LAYOUTS, layout
from medsearch.core.errors import BadInput
from medsearch.core.records import read_record
from medsearch.imaging.image_files import UnreadableVolume


def moved(cohort: Cohort, to: Path) -> Cohort:
    shutil.copytree(cohort.root, to)
    cases = tuple(
        type(case)(
            case.subject,
            {contrast: to / path.relative_to(cohort.root) for contrast, path in case.images.items()},
            case.mask and to / case.mask.relative_to(cohort.root),
        )
        for case in cohort.cases
    )
    return Cohort(cohort.name, to, cohort.layout, cohort.contrasts, cases)


def test_fingerprint_follows_content_not_place(write_cohort: Callable[..., Cohort], tmp_path: Path) -> None:
    cohort = write_cohort(3)
    before = fingerprint(cohort, tmp_path / "digests.json")
    assert fingerprint(moved(cohort, tmp_path / "elsewhere"), tmp_path / "others.json") == before
    assert fingerprint(cohort.without([cohort.subjects[1]]), tmp_path / "digests.json") != before
    path = cohort.cases[0].images["t1"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert fingerprint(cohort, tmp_path / "digests.json") != before


def test_fingerprint_tells_image_from_image(write_cohort: Callable[..., Cohort], tmp_path: Path) -> None:
    cohort = write_cohort(1)
    before = fingerprint(cohort, tmp_path / "digests.json")
    case = cohort.cases[0]
    images = {**case.images, "t1": case.images["t2"], "t2": case.images["t1"]}
    swapped = Cohort("c", cohort.root, "l", cohort.contrasts, (type(case)(case.subject, images, case.mask),))
    assert fingerprint(swapped, tmp_path / "digests.json") != before


def test_digests_are_not_computed_twice(write_cohort: Callable[..., Cohort], tmp_path: Path) -> None:
    cohort, cache = write_cohort(2), tmp_path / "digests.json"
    before = fingerprint(cohort, cache)
    path = cohort.cases[0].images["t1"]
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))  # other content behind an unchanged size and time is not looked at ...
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(cohort, cache) == before
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))  # ... until one of them changes
    assert fingerprint(cohort, cache) != before


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_cache_is_restored(write_cohort: Callable[..., Cohort], tmp_path: Path, damage: str) -> None:
    cohort, cache = write_cohort(2), tmp_path / "digests.json"
    before = fingerprint(cohort, cache)
    cache.write_text(damage)
    assert fingerprint(cohort, cache) == before
    assert len(read_record(cache)) == 8


def test_a_missing_file_is_named(write_cohort: Callable[..., Cohort], tmp_path: Path) -> None:
    cohort = write_cohort(2)
    path = cohort.cases[1].images["t2"]
    path.unlink()
    with pytest.raises(UnreadableVolume, match=r"case-01/t2\.nii\.gz: .*leave out the case"):
        fingerprint(cohort, tmp_path / "digests.json")


def test_without_keeps_the_order(write_cohort: Callable[..., Cohort]) -> None:
    cohort = write_cohort(4)
    assert cohort.without(["case-01", "case-09"]).subjects == ("case-00", "case-02", "case-03")


def test_a_finding_is_one_line() -> None:
    finding = Finding("a\nb", Path("folder/file.nii"), "is wrong", "mend it", fatal=False)
    assert str(finding) == "warning: a b: folder/file.nii: is wrong; mend it"


def test_an_unknown_layout_is_refused() -> None:
    assert layout("brats2020") is LAYOUTS["brats2020"]
    with pytest.raises(BadInput, match="'brats'; choose one of brats2020"):
        layout("brats")


def test_fingerprint_follows_what_folders_and_tables_say_of_a_case(
    write_cohort: Callable[..., Cohort], tmp_path: Path
) -> None:
    cohort = write_cohort(2)
    first, other = cohort.cases

    def of(case: Case) -> str:
        return fingerprint(dataclasses.replace(cohort, cases=(case, other)), tmp_path / "digests.json")

    told = [
        first,
        dataclasses.replace(first, subset="source"),
        dataclasses.replace(first, subset="target"),
        dataclasses.replace(first, presence=(True, False)),
        dataclasses.replace(first, presence=(False, False)),
        dataclasses.replace(first, subset="target", presence=(True, False)),
    ]
    assert len({of(case) for case in told}) == len(told)
    assert of(first) == fingerprint(cohort, tmp_path / "digests.json")
