"""Whatever of a home is damaged, in whichever way, is named, made anew and never used: the table stays what it was.

Beyond the scripts that first showed it: journals, notes, records and databases; files of another stage or study; damage
found in the middle of a study, by a worker; a ledger that is lost while the sampler's storage is not.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

from medsearch.cli.verification import set_aside, verify
from medsearch.core import records
from medsearch.core.errors import Damaged
from medsearch.reporting.collect import collect_search
from medsearch.stages.context import StageContext
from medsearch.stages.manifest import MANIFEST
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Outcome, Training
from medsearch.study.declare.samplers import Random
from medsearch.study.engine.identity import note, open_study
from medsearch.study.engine.jobs import Job, RunResult, SearchJobs
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.ablations import ablation, sweep_of, sweep_out
from tests.study.ray.drive import carry_out, do, search

WEIGHTS = "weights.bin"


@dataclass(frozen=True)
class Translating(toy.TranslationStage):
    """Leaves weights."""

    def train(self, context: StageContext) -> Training:
        outcome = yield from super().train(context)
        (context.directory / WEIGHTS).write_bytes(f"trained with seed {context.seed}".encode() * 50)
        return outcome


@dataclass(frozen=True)
class Segmenting(toy.SegmentationStage):
    """Is as good as the weights that it takes are."""

    name: ClassVar[str] = "toy-segmentation"

    def train(self, context: StageContext) -> Training:
        outcome = yield from super().train(context)
        taken = context.upstream["translator"].file(WEIGHTS).read_bytes()
        return Outcome({name: value + (sum(taken) % 97) * 1e-3 for name, value in outcome.metrics.items()})


def weighty_nodes(recipe: toy.ToyRecipe, selection: Selection) -> Iterator[Node]:
    """Those of the toy, whose translations leave weights that segmentations take."""
    own = {"translation": Translating(recipe.translation), "segmentation": Segmenting(recipe.segmentation)}
    for node in toy.make_nodes(recipe, selection):
        yield replace(node, stage=own.get(node.name, node.stage))


WEIGHTY = replace(toy.TOY, make_nodes=weighty_nodes)


def study(trials: int = 2) -> Any:
    return search(method=WEIGHTY, trials=trials, finalists=1, sampler=Random())


def run(home: Path, trials: int = 2, **how: Any) -> None:
    """As `medsearch.study.ray.execution.run_search` does, in this process."""
    Ledger(home / "studies" / "toy_search").mend()
    driver = conducted(home, trials)
    carry_out(driver, **how)
    driver.require_result()
    note(driver.ledger, chosen=driver.finalists)


def conducted(home: Path, trials: int = 2) -> SearchDriver:
    environment = toy.study_environment(home)
    jobs, ledger = SearchJobs(study(trials), environment), Ledger(environment.study("toy_search"))
    open_study(jobs, ledger)
    return SearchDriver(jobs, ledger=ledger, proposals=lambda: Proposals(study(trials), sqlite(ledger.folder)))


def table(home: Path) -> Any:
    """What the report says, but for times."""
    found = collect_search(home / "studies" / "toy_search", toy.study_environment(home).store)
    runs = [*found.finalists, *found.references]
    rows = [[(one.seed, one.state, one.value, dict(one.metrics)) for one in row.replicates] for row in runs]
    trials = [(one.number, one.state, one.value, one.curve, dict(one.knobs)) for one in found.trials]
    return trials, [one.number for one in found.finalists], rows


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A home whose study has ended; its table, and the table with one more trial."""
    home = tmp_path_factory.mktemp("ended") / "home"
    run(home)
    grown = home.with_name("grown")
    shutil.copytree(home, grown)
    run(grown, trials=3)
    return home, table(home), table(grown)


@pytest.fixture
def home(ended: tuple[Path, Any, Any], tmp_path: Path) -> Path:
    records.warn_once.cache_clear()
    shutil.copytree(ended[0], tmp_path / "home")
    return tmp_path / "home"


Damage = Callable[[Path], None]


def flip(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def number(path: Path) -> None:
    path.write_text("17\n")


def edit(old: str, new: str) -> Damage:
    def edited(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return edited


def stages(home: Path, name: str) -> list[Path]:
    """The folders of the finished stages of a kind, in the order in which they were trained."""
    keys = dict.fromkeys(line["key"] for line in toy.executions(home) if line["stage"] == name)
    return [home / "stages" / key for key in keys]


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def other_stage(path: Path) -> None:
    """In the place of a stage's manifest, that of another one: sound, but not its own."""
    home, key = path.parents[2], path.parent
    name = json.loads(path.read_text())["stage"]
    swap(path, next(folder for folder in stages(home, name) if folder != key) / MANIFEST)


def damaged_metric(path: Path) -> None:
    manifest = json.loads(path.read_text())
    manifest["metrics"] = {name: value + 0.25 for name, value in manifest["metrics"].items()}
    path.write_text(json.dumps(manifest, indent=1))


@pytest.mark.parametrize("damage", [flip, cut, number, damaged_metric, other_stage], ids=lambda of: of.__name__)
@pytest.mark.parametrize("stage", ["toy-test", "toy-polish"])
def test_a_damaged_manifest(
    home: Path, ended: tuple[Path, Any, Any], stage: str, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    folder = stages(home, stage)[0]
    damage(folder / MANIFEST)
    trained = len(toy.executions(home))
    assert table(home) != ended[1] or stage != "toy-test", "a report does not use it"
    assert f"{folder / MANIFEST} " in caplog.text
    run(home)
    assert table(home) == ended[1]
    assert len(toy.executions(home)) == trained + (2 if damage is other_stage else 1)
    assert f"the stage is in {folder}.damaged-" in caplog.text
    assert verify(home, toy.study_environment(home).store).findings == []
    run(home)
    assert len(toy.executions(home)) == trained + (2 if damage is other_stage else 1)


@pytest.mark.parametrize("damage", [flip, cut, number], ids=lambda of: of.__name__)
def test_damaged_weights_are_not_taken(
    home: Path, ended: tuple[Path, Any, Any], damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    folder = stages(home, "toy-translation")[0]
    damage(folder / WEIGHTS)
    run(home, trials=3)
    assert table(home) == ended[2]
    assert f"{folder / WEIGHTS} " in caplog.text
    assert f"the stage is in {folder}.damaged-" in caplog.text
    assert [line["stage"] for line in toy.executions(home)].count("toy-translation") == 3


def swapped_arrays(path: Path) -> None:
    swap(path, path.with_name("image-t2.npy"))


@pytest.mark.parametrize("damage", [flip, cut, number, swapped_arrays], ids=lambda of: of.__name__)
def test_damaged_arrays(
    home: Path, ended: tuple[Path, Any, Any], damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    folder = home / "cohorts" / "toy"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder / "image-t1.npy")
    run(home, trials=3)
    assert table(home) == ended[2]
    assert re.search(rf"{folder}/image-t[12].npy \w+ .*; its folder is {folder}\.damaged-", caplog.text)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (aside,) = (home / "cohorts").glob("toy.damaged-*")
    assert {path.name: path.read_bytes() for path in aside.iterdir()} != before


@pytest.mark.parametrize("name", ["cases.json", "files.json"])
@pytest.mark.parametrize("damage", [flip, cut, number], ids=lambda of: of.__name__)
def test_damaged_records_of_arrays(home: Path, damage: Damage, name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = home / "cohorts" / "toy"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder / name)
    run(home, trials=3)
    assert f"{folder / name} " in caplog.text
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def other_ledger(path: Path) -> None:
    """A line of another study: sound, but of a trial that this one does not have, with a stage that is not there."""
    line = {
        "event": "started", "run": "trial-0009", "role": "trial", "number": 9, "label": "", "seed": 0, "knobs": {},
        "stages": [{"node": "segmentation", "key": "../../x"}], "time": 1.0,
    }  # fmt: skip
    records.append_line(path, line)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: flip(path, 0.1),
        lambda path: flip(path, 0.9),
        cut,
        lambda path: number(path),
        lambda path: path.write_bytes(b"17\n" + path.read_bytes() + b'["a"]\n{"event": "started"}\n{"event": "fin'),
        edit('"state":"complete","value":0.', '"state":"complete","value":9.'),
        lambda path: path.write_text(path.read_text().replace('"event":"started"', '"event":1')),
        other_ledger,
    ],
    ids=["flipped early", "flipped late", "cut", "number", "lines of all kinds", "edited value", "types", "outside"],
)
def test_a_damaged_ledger(
    home: Path, ended: tuple[Path, Any, Any], damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = home / "studies" / "toy_search" / "ledger.jsonl"
    damage(ledger)
    trained = len(toy.executions(home))
    run(home)
    assert table(home) == ended[1]
    assert f"of {ledger} " in caplog.text
    assert len(toy.executions(home)) == trained, "what it said is found again"


def test_a_lost_ledger(home: Path, ended: tuple[Path, Any, Any]) -> None:
    (home / "studies" / "toy_search" / "ledger.jsonl").unlink()
    trained = len(toy.executions(home))
    run(home)
    assert table(home) == ended[1]
    assert len(toy.executions(home)) == trained


def without_keys(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({"manifest": line["manifest"]}) + "\n" for line in lines))


def other_metrics(path: Path) -> None:
    """Sound lines that do not say what the manifests do."""
    lines = [records.parsed_line(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line["state"][0] += 1
        line["manifest"]["metrics"] = {"validation/dice": 9.0}
    path.write_bytes(b"".join(records.line_of(line) + b"\n" for line in lines))


@pytest.mark.parametrize("damage", [flip, cut, number, without_keys, other_metrics], ids=lambda of: of.__name__)
def test_a_damaged_index(home: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    store = toy.study_environment(home).store
    expected = store.summaries()
    damage(store.root / ".index.jsonl")
    fresh = toy.study_environment(home.rename(home.with_name("another"))).store  # as another process would
    assert fresh.summaries() == expected
    assert damage is other_metrics or ".index.jsonl " in caplog.text
    assert [line["key"] for line in records.read_lines(fresh.root / ".index.jsonl")] == list(expected)


@pytest.mark.parametrize(
    "damage",
    [flip, cut, number, edit('"trials": 2', '"trials": 9'), edit('"name": "toy_search"', '"name": "another"')],
    ids=["flipped", "cut", "number", "edited", "of another study"],
)
def test_a_damaged_header(
    home: Path, ended: tuple[Path, Any, Any], damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    header = home / "studies" / "toy_search" / "study.json"
    damage(header)
    with pytest.raises(Damaged, match=r"study\.json .*; run its study again: the header is set aside"):
        table(home)
    trained = len(toy.executions(home))
    run(home)
    assert table(home) == ended[1]
    assert f"{header} " in caplog.text
    assert len(list(header.parent.glob("study.json.damaged-*"))) == 1
    assert len(toy.executions(home)) == trained


def test_what_is_damaged_in_the_middle_of_a_study_is_made_anew_in_it(
    tmp_path: Path, ended: tuple[Path, Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    driver = conducted(home)
    done: list[RunResult] = []
    while isinstance(job := driver.next(), Job):
        if job.run == "trial-0001" and not done[-1].cause:
            flip(home / "cohorts" / "toy" / "image-t1.npy")
        if job.run == "reference-no-adaptation-seed-1":
            flip(stages(home, "toy-translation")[-1] / WEIGHTS)
        done.append(do(driver, job))
        driver.ended(job.run, done[-1])
    note(driver.ledger, chosen=driver.finalists)
    assert table(home) == ended[1]
    assert [end.cause for end in done if end.state == "failed"] == ["damaged"]
    assert "image-t1.npy was changed since it was written; its folder is" in caplog.text


def test_a_disk_that_damages_all_that_it_is_given_ends_the_run(tmp_path: Path) -> None:
    driver = conducted(tmp_path)
    job = driver.next()
    tries = 0
    while isinstance(job, Job) and job.planned.role == "prefix" and tries < 9:
        driver.ended(job.run, RunResult(state="failed", reason="x was changed", cause="damaged"))
        tries += 1
        job = driver.next() if tries < 4 else "finished"
    assert tries == 4
    assert driver.ledger.runs()["prefix-0"].state == "failed"


@pytest.mark.parametrize("role", ["prefix", "trial", "replicate", "reference"])
def test_a_kill_while_a_run_that_was_damaged_is_handed_out_again_ends_it_no_sooner(role: str, tmp_path: Path) -> None:
    driver = conducted(tmp_path)
    while isinstance(job := driver.next(), Job) and job.planned.role != role:
        driver.ended(job.run, do(driver, job))
    assert isinstance(job, Job)
    driver.ended(job.run, RunResult(state="failed", reason="x was changed", cause="damaged"))
    assert driver.ledger.runs()[job.run].state == "running"
    run(tmp_path)
    assert {record.state for record in driver.ledger.runs().values()} == {"complete"}


def test_a_kill_while_a_stage_run_that_was_damaged_is_handed_out_again_ends_it_no_sooner(tmp_path: Path) -> None:
    sweep = sweep_of(ablation(), tmp_path)
    job = sweep.next()
    assert isinstance(job, Job)
    sweep.ended(job.run, RunResult(state="failed", reason="x was changed", cause="damaged"))
    assert sweep.ledger.runs()[job.run].state == "running"
    sweep_out(sweep_of(ablation(), tmp_path))
    assert {record.state for record in sweep.ledger.runs().values()} == {"complete"}


def test_a_sweep_trains_again_what_its_next_stage_cannot_take(tmp_path: Path) -> None:
    sweep_out(sweep_of(ablation(), tmp_path))
    before = toy.study_environment(tmp_path).store.summaries()
    damaged = next(folder for folder in stages(tmp_path, "toy-translation"))
    flip(damaged / MANIFEST)
    trained = len(toy.executions(tmp_path))
    sweep_out(sweep_of(ablation(), tmp_path))
    again = toy.study_environment(tmp_path).store.summaries()
    assert [line["key"] for line in toy.executions(tmp_path)[trained:]] == [damaged.name]
    assert {key: one.metrics for key, one in again.items()} == {key: one.metrics for key, one in before.items()}


@cache
def _everything() -> dict[str, tuple[Callable[[Path], Path], Damage]]:
    own = "studies/toy_search"
    return {
        "manifest": (lambda home: stages(home, "toy-test")[0] / MANIFEST, flip),
        "weights": (lambda home: stages(home, "toy-translation")[1] / WEIGHTS, cut),
        "journal": (lambda home: stages(home, "toy-segmentation")[0] / "journal.jsonl", flip),
        "array": (lambda home: home / "cohorts" / "toy" / "mask.npy", flip),
        "ledger": (lambda home: home / own / "ledger.jsonl", flip),
        "index": (lambda home: home / "stages" / ".index.jsonl", cut),
        "header": (lambda home: home / own / "study.json", cut),
        "sampler": (lambda home: home / own / "optuna.db", cut),
    }


def test_all_of_a_home_is_verified(home: Path, ended: tuple[Path, Any, Any]) -> None:
    store = toy.study_environment(home).store
    store.summaries()
    sound = verify(home, store)
    assert (sound.findings, sound.unverifiable, sound.studies, sound.cohorts) == ([], 0, 1, 1)
    assert sound.stages == len(store.summaries())
    environments = [(where(home), damage) for where, damage in _everything().values()]
    for path, damage in environments:
        damage(path)
    found = verify(home, store)
    for path, _ in environments:
        assert any(str(path) in finding.what for finding in found.findings), path
    assert len(found.findings) >= len(environments)
    assert all(finding.remedy for finding in found.findings)
    lines = list(set_aside(found, store))
    assert len(lines) == 4  # three stages and the arrays
    (home / "studies" / "toy_search" / "optuna.db").unlink()
    run(home)
    assert table(home) == ended[1]


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lambda path: path.write_bytes(b"17\n" * 999),
        lambda path: path.write_bytes(path.read_bytes()[:-30000]),
        None,
    ],
    ids=["cut", "numbers", "cut late", "lost"],
)
def test_a_damaged_storage_of_the_sampler_is_named_and_filled_from_the_ledger(
    home: Path, ended: tuple[Path, Any, Any], damage: Damage | None
) -> None:
    database = home / "studies" / "toy_search" / "optuna.db"
    if damage is not None:
        damage(database)
        with pytest.raises(Damaged, match=r"the sampler's storage .*optuna\.db is damaged .* or move it aside and run"):
            run(home, trials=3)
    database.unlink()
    run(home, trials=3)
    assert table(home) == ended[2]
    run(home, trials=4)


def test_what_was_stored_before_digests_were_kept_is_taken_and_counted(
    home: Path, ended: tuple[Path, Any, Any]
) -> None:
    for manifest in (home / "stages").glob(f"*/{MANIFEST}"):
        old = {k: v for k, v in json.loads(manifest.read_text()).items() if k not in ("key", "digests", "digest")}
        manifest.write_text(json.dumps(old))
    (home / "cohorts" / "toy" / "files.json").unlink()
    ledger = home / "studies" / "toy_search" / "ledger.jsonl"
    lines = [records.parsed_line(line) for line in ledger.read_bytes().splitlines()]
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    header = home / "studies" / "toy_search" / "study.json"
    header.write_text(json.dumps({k: v for k, v in json.loads(header.read_text()).items() if k != "digest"}))
    trained = len(toy.executions(home))
    run(home)
    assert (table(home), len(toy.executions(home))) == (ended[1], trained)
    found = verify(home, toy.study_environment(home).store)
    assert (found.findings, found.unverifiable) == ([], found.stages + 2)
