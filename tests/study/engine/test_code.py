"""A study whose code was edited between two runs: what is said, what is trained anew, and what it ends with."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.core.records import read_json, write_json
from medsearch.reporting.collect import collect_staged as collect_staged
from medsearch.reporting.report import rebuild
from medsearch.stages.context import Runtime
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.search import Search
from medsearch.study.engine.code import anew, code_notes, stored_keys, trained_by
from medsearch.study.engine.jobs import Recompute, StudyEnvironment, perform
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.plan import plan_ablation, plan_search
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.ablations import ablation, sweep_of, sweep_out
from tests.study.edited import Package, written
from tests.study.engine.test_search_driver import runs
from tests.study.ray.drive import carry_out, do, driver_of, search
from tests.study.staging import carry_out_search, carry_out_staged, staged


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(tmp_path / "path")
    (tmp_path / "path").mkdir()
    yield written(tmp_path / "path" / f"own_{tmp_path.name}")
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def own_search(package: Package) -> Search:
    return search(method=package.method().OWN, trials=3, finalists=1, nuisance={})


def own_ablation(package: Package) -> Ablation:
    return ablation(method=package.method().OWN)


def place_of(study: Search | Ablation, home: Path, recompute: Recompute = "changed") -> StudyEnvironment:
    return anew(study, toy.study_environment(home), recompute)


def said(study: Search, home: Path, recompute: Recompute = "warn") -> list[str]:
    environment = place_of(study, home, recompute)
    return code_notes(trained_by(study, environment, stored_keys(study, environment)), recompute)


def trained(home: Path) -> Counter[str]:
    return Counter(execution["stage"] for execution in toy.executions(home))


def test_nothing_is_said_or_trained_where_the_code_is_the_same(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    carry_out(driver_of(own_search(package), home))
    package.edit("shift.py", '"""How far off the toy is."""\n', "# a comment\n")
    study, before = own_search(package), trained(home)
    assert said(study, home) == []
    assert not place_of(study, home).outdated
    carry_out(driver_of(study, home, place_of(study, home)))
    assert trained(home) == before


def test_an_edited_stage_is_named_with_its_module_and_used(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    carry_out(driver_of(own_search(package), home))
    package.edit("shift.py", "by=0.0", "by=0.25")
    study, before = own_search(package), trained(home)
    own, polish, test, last = said(study, home)
    assert own.startswith("code changed: own-segmentation: 6 trained by")
    assert f"({package.name}.shift)" in own
    assert "toy-polish: 6" in polish
    assert "on stages whose code has changed since" in polish
    assert "toy-test: 4" in test
    assert "--recompute changed" in last
    assert plan_search(study, place_of(study, home, "warn")).notes == (own, polish, test, last)
    assert plan_search(study, place_of(study, home, "never")).notes == ()
    carry_out(driver_of(study, home))
    assert trained(home) == before


def test_a_search_trains_changed_stages_anew_and_ends_as_one_of_that_code_alone(
    package: Package, tmp_path: Path
) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    carry_out(driver_of(own_search(package), home))
    first = runs(home)
    package.edit("shift.py", "by=0.0", "by=0.25")
    study = own_search(package)
    planned = plan_search(study, place_of(study, home))
    assert {(row.group, row.stage): row.left for row in planned.rows if row.left} == {
        ("trial", "segmentation"): 3,
        ("trial", "polish"): 3,
        ("reference", "segmentation"): 2,
        ("reference", "polish"): 2,
        ("reference", "test"): 2,
        ("replicate", "segmentation"): 1,
        ("replicate", "polish"): 1,
        ("replicate", "test"): 2,
    }
    before = trained(home)
    carry_out(driver_of(study, home, place_of(study, home)))
    assert trained(home) - before == {"own-segmentation": 6, "toy-polish": 6, "toy-test": 4}
    found = runs(home)
    assert found.keys() == first.keys()
    for name, run in found.items():
        if run.value is not None:
            assert run.value == pytest.approx(first[name].value + 0.25)
    told = {number: end.values for number, _, end in Proposals(study, sqlite(home / "studies" / "toy_search")).ended()}
    assert told == {run.number: run.values for run in found.values() if run.role == "trial"}
    assert not place_of(study, home).outdated
    assert said(study, home) == []
    before = trained(home)
    carry_out(driver_of(study, home, place_of(study, home)))
    assert trained(home) == before, "what was trained anew is current"
    carry_out(driver_of(study, other))
    assert {n: (r.state, r.values) for n, r in runs(other).items()} == {
        n: (r.state, r.values) for n, r in found.items()
    }


@pytest.mark.parametrize("jobs", range(0, 9, 2))
def test_stopped_in_the_middle_it_goes_on_with_what_is_left(package: Package, tmp_path: Path, jobs: int) -> None:
    home = tmp_path / "home"
    carry_out(driver_of(own_search(package), home))
    package.edit("shift.py", "by=0.0", "by=0.25")
    study, before = own_search(package), trained(home)
    driver = driver_of(study, home, place_of(study, home))
    for _ in range(jobs):
        job = driver.next()
        if isinstance(job, str):
            break
        end = do(driver, job)
        if _ != jobs - 1:  # the last end is not written down any more
            driver.ended(job.run, end)
    carry_out(driver_of(study, home, place_of(study, home)))
    assert trained(home) - before == {"own-segmentation": 6, "toy-polish": 6, "toy-test": 4}
    assert all(run.state == "complete" for run in runs(home).values())


def test_what_was_not_trained_anew_counts_as_before_once_nobody_wants_it_anew(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    carry_out(driver_of(own_search(package), home))
    first = {name: run.values for name, run in runs(home).items()}
    package.edit("shift.py", "by=0.0", "by=0.25")
    study = own_search(package)
    driver_of(study, home, place_of(study, home)).next()  # trials are open again in the sampler's storage by now
    before = trained(home)
    carry_out(driver_of(study, home))
    assert trained(home) == before
    assert {name: run.values for name, run in runs(home).items()} == first
    ends = Proposals(study, sqlite(home / "studies" / "toy_search")).ended()
    assert {number: end.values for number, _, end in ends} == {
        run.number: run.values for run in runs(home).values() if run.role == "trial"
    }


def test_another_study_sees_that_a_shared_stage_was_trained_anew(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    carry_out(driver_of(own_search(package), home))
    carry_out(driver_of(replace(own_search(package), name="second"), home))
    package.edit("shift.py", "by=0.0", "by=0.25")
    carry_out(driver_of(own_search(package), home, place_of(own_search(package), home)))
    before, second = trained(home), replace(own_search(package), name="second")
    driver = driver_of(second, home)
    carry_out(driver)
    assert trained(home) == before
    ours, theirs = runs(home), driver.ledger.runs()
    assert {n: r.values for n, r in theirs.items()} == {n: r.values for n, r in ours.items()}


def test_an_ablation_trains_changed_stages_anew(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    sweep_out(sweep_of(own_ablation(package), home))
    package.edit("shift.py", "return by", "return by + 0.25")
    study = own_ablation(package)
    environment = place_of(study, home, "warn")
    notes = plan_ablation(study, {"brats2020": environment}).notes
    assert any("own-segmentation: 8 trained by" in note for note in notes)
    assert plan_ablation(study, {"brats2020": environment}).left == 0
    environment = place_of(study, home)
    assert plan_ablation(study, {"brats2020": environment}).left == 8 + 12 + 12
    before = trained(home)
    sweep_out(sweep_of(study, home, environment=environment), slots=2)
    assert trained(home) - before == {"own-segmentation": 8, "toy-polish": 12, "toy-test": 12}
    assert not place_of(study, home).outdated
    (one, *_) = [m for m in environment.stored.summaries().values() if m.stage == "own-segmentation"]
    assert one.replaces.code == one.training_code.words, "neither lies in a repository"


@pytest.mark.parametrize("kind", ["search", "ablation", "staged"])
def test_the_page_names_every_commit_and_what_has_changed(kind: str, package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = toy.study_environment(home)

    def page(*seeds: int) -> Path:
        if kind == "ablation":
            rows = replace(own_ablation(package), seeds=seeds)
            sweep_out(sweep_of(rows, home, environment=environment))
            folder = environment.study(rows.name)
        elif kind == "search":
            one = replace(own_search(package), seeds=seeds, references=())
            carry_out(driver_of(one, home, environment))
            folder = environment.study(one.name)
        else:
            groups = staged(method=package.method().OWN, seeds=seeds, refinement=None)
            assert len(list(carry_out_staged(groups, home))) == 2
            folder = environment.study(groups.name)
        return rebuild(folder, environment.store)

    first = package.commit()
    page(0)
    package.edit("shift.py", "by=0.0", "by=0.25")
    second = package.commit()
    path = page(0, 1)
    for name in ("index.html", "table.md", "results.json"):
        text = (path.parent / name).read_text().replace("\\_", "_")
        for named in (first[:12], second[:12], "Code has changed", f"{package.name}.shift"):
            assert named in text, (name, named)


def test_a_group_that_was_run_anew_is_not_accused_by_those_after_it(package: Package, tmp_path: Path) -> None:
    """Interrupted after the first group of a staged search whose code was edited: each has the code it ran with."""
    home = tmp_path / "home"
    list(carry_out_staged(staged(method=package.method().OWN, refinement=None), home))
    package.edit("shift.py", "by=0.0", "by=0.25")
    of = staged(method=package.method().OWN, refinement=None)
    environment = anew(of, toy.study_environment(home), "changed")
    before = trained(home)
    carry_out_search(next(of.searches(of.stand_in)), environment)
    assert (trained(home) - before)["own-segmentation"] >= 3
    found = collect_staged(environment.study(of.name), environment.store).trained
    assert {one.stage for one in found} >= {"own-segmentation", "toy-polish"}
    assert [one for one in found if one.differs] == []
    assert sum(one.count for one in found) == len({key for _, key in stages_in(environment, of.studies)})


def stages_in(environment: StudyEnvironment, studies: Iterable[str]) -> set[tuple[str, str]]:
    return {
        stage for name in studies for run in Ledger(environment.study(name)).runs().values() for stage in run.stages
    }


def test_stages_of_unknown_code_are_named_once_and_kept(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    study = own_search(package)
    carry_out(driver_of(study, home))
    since = ("code", "modules", "digest", "digests", "key")
    for path in (home / "stages").glob("*/manifest.json"):
        manifest = {name: value for name, value in read_json(path).items() if name not in since}
        write_json(path, {**manifest, "code": "0.1.0"})
    (home / "stages" / ".index.jsonl").unlink(missing_ok=True)
    (line,) = said(study, home)
    assert line.startswith("code unknown: 18 stored stages were trained before it was recorded")
    assert not place_of(study, home, "changed").outdated
    assert len(place_of(study, home, "unknown").outdated or ()) == 18
    before = trained(home)
    carry_out(driver_of(study, home, place_of(study, home, "unknown")))
    assert (trained(home) - before).total() == 18
    assert said(study, home) == []


def test_an_interrupted_stage_of_other_code_is_said_to_be_of_both_or_begun_anew(
    package: Package, tmp_path: Path
) -> None:
    for recompute, begun_at in (("warn", 3), ("changed", 0)):
        home = tmp_path / recompute
        sweep = sweep_of(own_ablation(package), home)
        job = sweep.next()
        while not (isinstance(job, str) or job.runs[0].node == "segmentation"):
            sweep.ended(job.run, do(sweep, job))
            job = sweep.next()
        assert not isinstance(job, str)
        training = perform(job, sweep.store, runtime=Runtime())
        for _ in range(3):
            next(training)
        training.close()
        old = (package.folder / "shift.py").read_text()
        package.edit("shift.py", "by=0.0", "by=0.25")
        study = own_ablation(package)
        environment = place_of(study, home, recompute)  # type: ignore[arg-type]
        sweep_out(sweep_of(study, home, environment=environment))
        manifest = environment.stored.artifact(job.keys[0]).manifest
        assert toy.executions(home)[-1]["stage"] == "toy-test"
        resumed = [one["from"] for one in toy.executions(home) if one["key"] == job.keys[0]]
        assert resumed == [0, begun_at]
        assert bool(manifest.training_code.earlier) == (recompute == "warn")
        assert bool(place_of(study, home).outdated) == (recompute == "warn")
        (package.folder / "shift.py").write_text(old)
