"""A real CT through all of it: found by a layout, checked, and made into a stack."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import check
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.tasks import SynthesisTask
from medsearch.imaging.geometry import AxialGeometry
from tests.cohorts.abdomens import CROP


@pytest.mark.skipif(not CROP.is_file(), reason="no real volumes: set MEDSEARCH_REALDATA")
def test_a_real_abdomen_becomes_a_stack(tmp_path: Path) -> None:
    folder = tmp_path / "cohort" / "unpaired" / "CT"
    folder.mkdir(parents=True)
    shutil.copy(CROP, folder / "somebody.nii.gz")
    checked = check(tmp_path / "cohort", "nifti_folders", required=["CT"], cache=tmp_path / "checks")
    assert [finding.fatal for finding in checked.findings] == [False]
    assert "without pairs nothing can be tested" in str(checked.findings[0])
    task = SynthesisTask(layout="nifti_folders", geometry=AxialGeometry(slice_size=64))
    stacks = prepare(checked.cohort, "real", task=task, folder=tmp_path / "prepared")
    measured = stacks.measured("somebody", "CT")
    assert measured["found"]
    assert measured["region"][0] == 0
    assert 40 <= measured["region"][1] <= 75
    hu, body = stacks.stack("somebody", "CT"), stacks.body("somebody", "CT")
    assert hu.shape == body.shape == (112, 64, 64)
    assert -100 < np.median(hu[body > 0]) < 60
    assert np.median(hu[body == 0]) < -900
