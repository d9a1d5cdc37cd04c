"""Whether a CT is in HU: what is windowed, scaled, shifted or turned upside down is told, at both ends."""

from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import case_findings
from medsearch.cohorts.inspection import inspect_cases
from medsearch.cohorts.layouts import LAYOUTS
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.abdomen.series import SeriesHeader, write_series

SHAPE = (24, 22, 40)


def body(seed: int = 0) -> np.ndarray:
    """HU (x, y, z): fat around soft tissue, bone and lungs in it, air around it; with the noise of a scanner."""
    rng = np.random.default_rng(seed)
    x, y, _ = np.indices(SHAPE)
    away = np.hypot((x - 11.5) / 10, (y - 10.5) / 8)
    hu = np.select([away > 1, away > 0.85], [-1000.0, -100.0], 40.0)
    hu[6:9, 9:13, 20:35] = hu[15:18, 9:13, 20:35] = -850
    hu[10:13, 15:18] = 600
    return (hu + rng.normal(0, 15, SHAPE)).round()


def window(low: float, high: float, hu: np.ndarray) -> np.ndarray:
    """Grey values 0..255 of a window."""
    return np.clip((hu - low) / (high - low) * 255, 0, 255).round()


def faults(path: Path, contrast: str = "CT") -> list[str]:
    facts = inspect_cases([{contrast: path}], None)[0]
    findings = case_findings("a", {contrast: path}, facts, layout=LAYOUTS["nifti_folders"])
    return [finding.problem for finding in findings if finding.fatal]


NOT_HU = {
    "greys": lambda hu: window(-1000, 1000, hu),
    "greys with intercept": lambda hu: window(-1000, 1000, hu) - 1024,
    "greys with intercept -1000": lambda hu: window(-1000, 400, hu) - 1000,
    "a narrow window": lambda hu: window(-160, 240, hu),
    "a narrow window with intercept": lambda hu: window(-160, 240, hu) - 1024,
    "a narrow window in HU": lambda hu: np.clip(hu, -160, 240),
    "a narrow window moved to its low end": lambda hu: window(-160, 240, hu) - 160,
    "greys moved into the gap": lambda hu: window(-1000, 1000, hu) - 600,
    "[0, 1]": lambda hu: np.clip((hu + 1000) / 2000, 0, 1),
    "[-1, 1]": lambda hu: np.clip(hu / 1000, -1, 1),
    "[-1000, -999]": lambda hu: np.clip((hu + 1000) / 2000, 0, 1) - 1000,
    "stored values without intercept": lambda hu: np.clip(hu + 1024, 0, 4095),
    "the intercept twice": lambda hu: hu - 1024,
    "inverted": lambda hu: -hu,
    "inverted greys": lambda hu: 255 - window(-160, 240, hu),
    "inverted greys with intercept": lambda hu: 255 - window(-160, 240, hu) - 1024,
    "16-bit greys with intercept": lambda hu: window(-1000, 1000, hu) * 257 - 32768,
    "z scores": lambda hu: (hu - hu.mean()) / hu.std(),
    "density in g/l": lambda hu: hu + 1000,
}
IN_HU = {
    "as measured": lambda hu: hu,
    "padded": lambda hu: np.where(np.indices(SHAPE)[0] < 2, -3024, hu),
    "padded far": lambda hu: np.where(np.indices(SHAPE)[0] < 2, -33792, hu),
    "cut at -1000 and 1000": lambda hu: np.clip(hu, -1000, 1000),
    "with metal": lambda hu: np.where((hu > 500) & (np.indices(SHAPE)[2] < 9), 30000, hu),
    "cropped to the body": lambda hu: hu[4:20, 4:17],
    "without the lungs": lambda hu: hu[:, :, :35][:, :, np.r_[0:20, 0:20]],
    "mostly air": lambda hu: np.pad(hu, ((20, 20), (20, 20), (0, 0)), constant_values=-1024),
}


@pytest.mark.parametrize("name", NOT_HU)
def test_what_is_not_in_hu_is_told(name: str, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", NOT_HU[name](body()).astype(np.float32), np.diag([-18.0, -18, 9, 1]))
    (problem,) = faults(tmp_path / "a.nii")
    assert problem.startswith("is not in HU: ")


@pytest.mark.parametrize("name", IN_HU)
def test_what_is_in_hu_passes(name: str, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", IN_HU[name](body()).astype(np.float32), np.diag([-18.0, -18, 9, 1]))
    assert faults(tmp_path / "a.nii") == []


@pytest.mark.parametrize("value", [0, 7, -1000])
def test_a_constant_image_is_told_as_that(value: int, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", np.full(SHAPE, value, np.int16), np.diag([-18.0, -18, 9, 1]))
    (problem,) = faults(tmp_path / "a.nii")
    assert "constant" in problem or "zero everywhere" in problem


@pytest.mark.parametrize("intercept", [-1024, 0])
def test_a_series_is_judged_as_a_file_is(intercept: int, tmp_path: Path) -> None:
    header = SeriesHeader(subject="A", number=1, intercept=intercept)
    where = {"spacing": (18.0, 18.0, 9.0), "origin": (0.0, 0.0, 0.0)}
    write_series(tmp_path / "hu", body().astype(np.int16), header, **where)
    assert faults(tmp_path / "hu") == []
    write_series(tmp_path / "grey", (window(-160, 240, body()) - 1024).astype(np.int16), header, **where)
    assert [problem.partition(":")[0] for problem in faults(tmp_path / "grey")] == ["is not in HU"]
