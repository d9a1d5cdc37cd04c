from pathlib import Path

import numpy as np
import pytest

from medsearch.data import inspection
from medsearch.data.inspection import CaseFacts, FileFacts, inspect_cases
from medsearch.data.volumes import write_volume

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])


def saved(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    write_volume(path, array, affine)
    return path


def facts_of(tmp_path: Path, array: np.ndarray, kind: str = "t1") -> FileFacts:
    return inspect_cases([{kind: saved(tmp_path / "a.nii.gz", array)}], None)[0].files[kind]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_facts_are_those_of_the_array(tmp_path: Path, dtype: str) -> None:
    array = np.zeros((3, 4, 5), dtype)
    array[1, 1, :2] = (7, 9)
    facts = facts_of(tmp_path, array)
    assert (facts.shape, facts.low, facts.high, facts.not_finite) == ((3, 4, 5), 0, 9, 0)
    assert facts.zeros == pytest.approx(58 / 60)
    np.testing.assert_array_equal(np.reshape(facts.affine, (4, 4)), AFFINE)
    assert facts_of(tmp_path, array, "mask").values == (7, 9)


def test_bounds_leave_out_what_is_not_finite(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, np.array([[[1.0, np.nan, -np.inf, 3.0]]]))
    assert (facts.low, facts.high, facts.not_finite) == (1, 3, 2)
    assert facts_of(tmp_path, np.full((1, 1, 2), np.nan)).not_finite == 2


def test_the_content_is_that_of_the_voxels_not_of_the_file(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    content = {facts_of(tmp_path, array.astype(dtype)).content for dtype in ("uint8", "int16", "float32")}
    assert len(content) == 1
    assert facts_of(tmp_path, array.reshape(4, 3, 2).astype(np.int16)).content not in content
    assert facts_of(tmp_path, array[::-1].astype(np.int16)).content not in content


def test_an_interrupted_inspection_keeps_what_it_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [{"t1": saved(tmp_path / f"{n}.nii.gz", np.full((2, 2, 2), n, np.int16))} for n in range(30)]
    inspect, read = inspection._inspect, []

    def failing(files: dict[str, Path], *contents: object) -> CaseFacts:
        read.append(files["t1"])
        if len(read) == 10:
            raise KeyboardInterrupt
        return inspect(files, *contents)

    monkeypatch.setattr(inspection, "_inspect", failing)
    with pytest.raises(KeyboardInterrupt):
        inspect_cases(cases, tmp_path / "cache")
    begun = len(read)
    facts = inspect_cases(cases, tmp_path / "cache")
    assert [found.files["t1"].low for found in facts] == list(range(30))
    assert 20 <= len(read) - begun <= 25
