"""What the command line of a study works out before anything runs."""

import runpy
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.cli import options
from medsearch.cli.options import folders, slots
from medsearch.cli.running import print_links, tasks_of
from medsearch.cli.study import put_to_releases
from medsearch.core.errors import BadInput
from medsearch.study import Search, Variant, choice
from medsearch.study.ray import cluster
from medsearch.study.ray.cluster import Resources
from medsearch.tracking import SyncReport
from tests.cohorts.layouts import trees
from tests.studies.shipped import FOLDER, shipped


@pytest.fixture(scope="module")
def search() -> Search:
    file = Path(__file__).parents[2] / "studies" / "modatts_lambda_search.py"
    study = runpy.run_path(str(file))["STUDY"]
    assert isinstance(study, Search)
    return study.at("tiny")


def test_every_contrast_that_a_run_may_need_is_known(search: Search) -> None:
    assert {(task.source, task.target) for task in tasks_of(search)} == {("t1", "t2")}
    wider = replace(
        search,
        references=(Variant("From T1ce", {"task.source": "t1ce"}),),
        space={**search.space, "task.target": choice(["t2", "flair"])},
    )
    assert {(task.source, task.target) for task in tasks_of(wider)} == {("t1", "t2"), ("t1ce", "t2"), ("t1", "flair")}


def test_a_forecast_counts_the_runs_that_fit_on_what_a_trial_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "cores", lambda: 16)
    monkeypatch.setattr(cluster, "gpus_here", lambda: 1)
    assert slots(Resources()) == 16
    assert slots(Resources(cpus_per_trial=4)) == 4
    assert slots(Resources(gpus_per_trial=1.0)) == 1
    assert slots(Resources(gpus_per_trial=1 / 3)) == 3
    assert slots(Resources(cpus_per_trial=64)) == 1


def test_the_last_words_are_commands_that_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my runs" / "studies" / "s"
    print_links(folder, SyncReport(study="s", uri="http://host:5000", behind=True, problem="down"), given_uri=True)
    mend = capsys.readouterr().out.splitlines()[1].partition("run: ")[2]
    options = ["--home", str(tmp_path / "my runs"), "--tracking-uri", "http://host:5000"]
    assert shlex.split(mend) == ["medsearch", "sync", "s", *options]
    print_links(
        folder,
        SyncReport(study="s", uri="http://host:5000", behind=True, problem="down"),
        given_uri=True,
        store="s3://a bucket",
    )
    mend = capsys.readouterr().out.splitlines()[1].partition("run: ")[2]
    assert shlex.split(mend) == ["medsearch", "sync", "s", *options, "--store", "s3://a bucket"]
    print_links(folder, SyncReport(study="s", uri="sqlite:///x"), given_uri=False)
    shown = capsys.readouterr().out.splitlines()[-1].partition(": ")[2]
    assert shlex.split(shown) == ["medsearch", "ui", "--home", str(tmp_path / "my runs")]


def test_each_cohort_is_named_where_there_are_several() -> None:
    both = ("brats2020", "crossmoda2022")
    assert folders(["DIR"], both[:1]) == {"brats2020": Path("DIR")}
    assert folders(["a=b"], both[:1]) == {"brats2020": Path("a=b")}
    assert folders(["crossmoda2022=X", "brats2020=Y"], both) == {"crossmoda2022": Path("X"), "brats2020": Path("Y")}
    for wrong, told in (
        (["DIR"], "say of which cohort, as brats2020=DIR or crossmoda2022=DIR"),
        (["mmwhs=DIR"], "'mmwhs' is none of the study's"),
        (["brats2020=A", "brats2020=B"], "given twice"),
    ):
        with pytest.raises(BadInput, match=told):
            folders(wrong, both)


def test_a_release_of_brats_is_given_by_its_own_name_too() -> None:
    assert folders(["brats2023=DIR"], ("brats2020",)) == {"brats2020": Path("DIR")}
    both = ("brats2020", "crossmoda2022")
    assert folders(["brats2021=X", "crossmoda2022=Y"], both) == {"brats2020": Path("X"), "crossmoda2022": Path("Y")}
    with pytest.raises(BadInput, match="given twice"):
        folders(["brats2021=X", "brats2023=Y"], both)
    with pytest.raises(BadInput, match="'brats2023' is none of the study's"):
        folders(["brats2023=X"], ("abdominal_ct", "crossmoda2022"))


def _layouts(study: object) -> list[str]:
    tasks = getattr(study, "tasks", None)
    of = getattr(study, "of", None)
    return [task.layout for task in (tasks.values() if tasks else (study.task,))] + (_layouts(of) if of else [])


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
@pytest.mark.parametrize("release", ["brats2021", "brats2023"])
def test_every_study_on_brats_can_be_put_to_another_release(
    name: str, release: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = shipped(name)
    root = trees.grow(tmp_path / "data", release)
    declared = {"brats2020": root} if "brats2020" in _layouts(study) else {}
    put, given = put_to_releases(study, declared)
    assert _layouts(put) == [release if layout == "brats2020" else layout for layout in _layouts(study)]
    assert given == ({release: root} if declared else {})
    assert (release in capsys.readouterr().out) == bool(declared)
    for scale in ("tiny", "paper"):
        one, other = put.at(scale), study.at(scale)
        for task, before in zip(_tasks_of(one), _tasks_of(other), strict=True):
            assert replace(task, layout=before.layout) == before


def _tasks_of(study: object) -> list[object]:
    return [*study.tasks.values()] if hasattr(study, "tasks") else [study.task]


def test_a_folder_of_the_declared_release_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = shipped("modatts_lambda_search")
    for root in (trees.grow(tmp_path / "a", "brats2020"), tmp_path / "nowhere"):
        assert put_to_releases(study, {"brats2020": root}) == (study, {"brats2020": root})
    assert capsys.readouterr().out == ""
