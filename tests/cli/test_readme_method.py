"""The README's own method, with its text as it stands: planned, tested where its file is not, run by its command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def called(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def manifests(home: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in home.glob("stages/*/manifest.json")]


def test_it_is_as_short_as_the_readme_says_and_planned(folder: Path) -> None:
    assert set(FILES) == {"my_unet.py", "my_study.py"}
    assert len(FILES["my_unet.py"].splitlines()) < 70
    plan = called(folder, "my_study.py", "--dry-run", "--home", "runs")
    assert "my_unet_weights: 10 stage runs to train" in plan
    assert not (folder / "runs" / "stages").exists()


def test_it_imports_neither_torch_nor_monai_to_be_planned(folder: Path) -> None:
    program = "import sys, my_study; print(*({'torch', 'monai', 'ray'} & sys.modules.keys()))"
    assert called(folder, "-c", program).strip() == ""


DRIVER = """
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from medsearch.cohorts.preparation import prepare
from medsearch.stages.store import Store
from medsearch.study.ray.worker import TrialPayload
from my_study import STUDY
from ray import cloudpickle
from tests.micro import TASK, Micro, write_heads

home = Path("../driver").resolve()
task = replace(TASK, geometry=replace(TASK.geometry, spacing=(5.0, 5.0, 5.0)))  # its U-Net halves slices four times
prepared = prepare(write_heads(home / "heads", fine=2), "micro", task=task, folder=home / "cohorts")
store = Store(home / "stages")
small = {"features": (4, 4, 8, 8, 8, 4), "epochs": 2, "batch": 4, "weights.ce": 0.5}
knobs = {f"segmentation.{name}": value for name, value in small.items()}
own = Micro(prepared, store, STUDY.method, task)
runs = tuple(own.runs(knobs, test=True, task={"target_labels": 1.0}).values())
job = SimpleNamespace(run="trial", runs=runs, prepared=prepared)
Path("../payload").write_bytes(cloudpickle.dumps(TrialPayload(job=job, store=store, runtime=None)))
print(*(run.code.digest for run in runs))
"""
NODE = """
import pickle
from pathlib import Path

from medsearch.stages.context import Runtime
from medsearch.stages.execution import StageExecutor, run_stage

payload = pickle.loads(Path("payload").read_bytes())
executor = StageExecutor(payload.store, payload.job.prepared, Runtime())
for run in payload.job.runs:
    print(*(sorted(epoch.metrics) for epoch in run_stage(executor, run)))
"""


def test_a_node_that_does_not_see_its_file_trains_and_tests_it(folder: Path) -> None:
    study = folder / "study"
    study.mkdir()
    for name, text in {**FILES, "driver.py": DRIVER}.items():
        (study / name).write_text(text)
    digests = called(study, "driver.py").split()
    for name in FILES:
        (folder / name).unlink()
    study.rename(folder / "unseen")
    (folder / "node.py").write_text(NODE)
    trained, tested = called(folder, "-P", "node.py").splitlines()
    assert trained == " ".join(["['train/ce', 'train/dice', 'validation/dice']"] * 2)
    assert tested == "[]"
    stored = {str(one["stage"]): one for one in manifests(folder / "driver")}
    assert [stored[name]["code"]["digest"] for name in ("my_unet", "slice_segmentation_test")] == digests
    assert all("my_unet" in manifest["modules"] for manifest in stored.values())
    assert 0 <= stored["slice_segmentation_test"]["metrics"]["test/dice"] <= 1


@pytest.mark.slow
def test_its_command_trains_tests_and_reports(folder: Path) -> None:
    options = ("--home", "runs", "--trials", "2", "--seeds", "0")
    called(folder, "my_study.py", *options)
    stored = manifests(folder / "runs")
    assert sorted(str(one["stage"]) for one in stored) == ["my_unet"] * 2 + ["slice_segmentation_test"] * 2
    assert all("my_unet" in manifest["modules"] for manifest in stored)
    table = pd.read_csv(folder / "runs" / "studies" / "my_unet_weights" / "report" / "table.csv")
    assert table["dice_mean"].dropna().between(0, 1).all()
    assert table["dice_mean"].notna().any()
    called(folder, "my_study.py", *options)
    assert manifests(folder / "runs") == stored, "nothing is trained again"
