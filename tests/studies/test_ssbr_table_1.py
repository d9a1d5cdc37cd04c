"""Table 1 of the SSBR CycleGAN end to end on real DICOM, as a user runs it; and what its headers name stays in them."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from medsearch.core.spreadsheets import read_csv
from medsearch.phantoms import PHANTOMS
from tests.cohorts.planted import PLANTED, plant
from tests.studies.small_ssbr_table_1 import ROWS

SMALL = Path(__file__).with_name("small_ssbr_table_1.py")
NAME = "ssbr_cyclegan_table_1"

pytestmark = pytest.mark.soak


@dataclass(frozen=True)
class Done:
    """What two runs of the same command left and said."""

    cohort: Path
    home: Path
    said: tuple[str, str]

    @property
    def report(self) -> Path:
        return self.home / "studies" / NAME / "report"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    root = tmp_path_factory.mktemp("ssbr")
    phantom = PHANTOMS["abdominal_ct"]
    folder = phantom.write(phantom.spec(cases=3, pairs=2, spacing=6.75), root / "TCIA")
    for series in {path.parent for path in folder.rglob("*.dcm")}:
        plant(series)
    command = [sys.executable, str(SMALL), "--data", str(folder), "--home", str(root / "home")]
    said = []
    for _ in range(2):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        said.append(ran.stdout + ran.stderr)
    return Done(folder, root / "home", (said[0], said[1]))


def test_both_directions_are_served_by_one_training(done: Done) -> None:
    manifests = [json.loads(path.read_text()) for path in (done.home / "stages").glob("*/manifest.json")]
    # PBS, and one training for the two rows that differ at inference
    assert Counter(manifest["node"] for manifest in manifests) == {"regressor": 1, "translation": 2, "test": 6}


def test_the_table_has_every_metric_of_both_directions(done: Done) -> None:
    table = read_csv((done.report / "table.csv").read_text())
    assert {line["row"] for line in table} == set(ROWS)
    assert {line["column"] for line in table} == {"CT → ceCT", "ceCT → CT"}
    words = (done.report / "index.html").read_text()
    for heading in ("MSE", "SSIM", "PSNR (dB)", "Training time (h)", "data range 2", "not comparable"):
        assert heading in words


def test_the_second_run_trains_nothing(done: Done) -> None:
    ledger = (done.home / "studies" / NAME / "ledger.jsonl").read_text().splitlines()
    finished = Counter(json.loads(line)["run"] for line in ledger if json.loads(line)["event"] == "finished")
    assert set(finished.values()) == {1}
    assert "not comparable" in done.said[1]


def test_what_a_header_names_is_nowhere_but_in_it(done: Done) -> None:
    """Not in a log, a manifest, a page, MLflow's database or its artifacts, the ledger, or what was printed."""
    dicom = list(done.cohort.rglob("*.dcm"))
    assert dicom
    assert all(PLANTED.encode() in path.read_bytes() for path in dicom)
    files = [path for path in done.home.rglob("*") if path.is_file()]
    assert any(path.name == "mlflow.db" for path in files)
    assert any(path.name == "manifest.json" for path in files)
    naming = [path for path in files if PLANTED.encode() in path.read_bytes()]
    assert not naming
    assert PLANTED not in "".join(done.said)
