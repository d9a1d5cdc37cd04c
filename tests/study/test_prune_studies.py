"""Pruning a home in which studies lie: whatever goes, every report says what it said, and every study can go on."""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.paths import set_aside
from medsearch.core.records import append_line, read_record, write_sealed
from medsearch.reporting.collect import collect_ablation as collect_ablation
from medsearch.reporting.collect import collect_search as collect_search
from medsearch.stages.prune import Pruning, carry_out, plan
from medsearch.stages.store import Store
from medsearch.study.declare.spaces import uniform
from medsearch.study.engine.identity import note
from medsearch.study.ray.execution import run_ablation, run_search
from medsearch.study.record.ledger import HEADER, LEDGER
from medsearch.study.record.referenced_stages import ReferencedStages, referenced_stages
from tests.study.ablations import ablation, sweep_of, sweep_out
from tests.study.ray.drive import carry_out as carry_out_search
from tests.study.ray.drive import driver_of, search
from tests.study.toy import executions, study_environment

SEARCH, ABLATION, FOREIGN = "toy_search", "toy_ablation", 4
RETUNED = {"retune": {"segmentation.weights.b": uniform(0, 1)}, "trials": 3, "variants": ablation().variants[:2]}


def trained(home: Path) -> Path:
    """A search and an ablation that have ended, with weights and pictures, and stages of a study that is gone."""
    carry_out_search(driver_of(search(trials=5, finalists=2), home))
    driver = driver_of(search(trials=5, finalists=2), home)
    ledger = driver.ledger
    note(ledger, chosen=driver.finalists)
    sweep_out(sweep_of(ablation(**RETUNED), home))
    store = study_environment(home).store
    for artifact in list(store.artifacts()):
        furnish(store, artifact.key)
    for number in range(FOREIGN):
        key = f"{number:016x}"
        shutil.copytree(store.folder(sorted(store.summaries())[number]), store.folder(key))
    return home


def furnish(store: Store, key: str) -> None:
    """Give a stage of the toy's the outputs that a real one has."""
    folder = store.folder(key)
    (folder / "weights.safetensors").write_bytes(key.encode() * 100)
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "pictures" / "translations.png").write_bytes(key.encode())


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("ended"))


@pytest.fixture
def home(ended: Path, tmp_path: Path) -> Path:
    return copied(ended, tmp_path / "home")


def copied(ended: Path, home: Path) -> Path:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(ended, home)
    return home


def header(home: Path, study: str) -> Any:
    return read_record(home / "studies" / study / HEADER)


def edit_header(home: Path, study: str, **changes: Any) -> None:
    write_sealed(home / "studies" / study / HEADER, {**header(home, study), **changes})


def store_of(home: Path) -> Store:
    return Store(home / "stages")


def reports(home: Path) -> list[Any]:
    """All that the reports show, and the bytes of their pictures, but for when they were made."""
    searched = collect_search(home / "studies" / SEARCH, store_of(home))
    swept = collect_ablation(home / "studies" / ABLATION, store_of(home))
    columns = tuple(replace(one, provenance=replace(one.provenance, created="")) for one in swept.columns)
    pictures = sorted(path.read_bytes() for path in home.glob("stages/*/pictures/*") if is_needed(home, path))
    return [
        replace(searched, provenance=replace(searched.provenance, created="")),
        replace(swept, columns=columns),
        pictures,
    ]


def is_needed(home: Path, path: Path) -> bool:
    return path.parts[-3] in referenced_stages(home).keys


def pruned(home: Path, found: ReferencedStages, *, budget: int | None = None, keep_best: bool = True) -> Pruning:
    store = store_of(home)
    planned = plan(store, kept=found.keys, spare=found.spare if keep_best else (), budget=budget)
    assert len(list(carry_out(store, planned.cuts, still=lambda _: True))) == len(planned.cuts)
    return planned


def keys(home: Path) -> set[str]:
    return set(store_of(home).summaries())


def listed(home: Path, study: str, roles: set[str]) -> set[str]:
    """The stages that runs of these roles list."""
    lines = (home / "studies" / study / "ledger.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return {stage["key"] for event in events if event.get("role") in roles for stage in event["stages"]}


def test_every_stage_of_every_study_is_mentioned_and_nothing_else(home: Path) -> None:
    found = referenced_stages(home)
    foreign = {f"{number:016x}" for number in range(FOREIGN)}
    assert found.keys == keys(home) - foreign
    assert found.keys == listed(home, SEARCH, {"prefix", "trial", "replicate", "reference"}) | listed(
        home, ABLATION, {"stage"}
    )


def test_only_trials_and_candidates_that_lost_are_spare(home: Path) -> None:
    spare = referenced_stages(home).spare
    chosen = header(home, SEARCH)["chosen"]
    runs = driver_of(search(trials=5, finalists=2), home).ledger.runs().values()
    lost = {key for run in runs if run.role == "trial" and run.number not in chosen for _, key in run.stages}
    others = {key for run in runs if run.role != "trial" or run.number in chosen for _, key in run.stages}
    swept = header(home, ABLATION)
    losing = {key for one in swept["candidates"] if not one["chosen"] for _, key in one["stages"]}
    winning = {key for one in swept["candidates"] if one["chosen"] for _, key in one["stages"]}
    cells = {key for cell in swept["cells"] for _, key in cell["stages"]}
    assert spare == (lost | losing) - others - winning - cells
    assert len(spare) > 8
    assert not {manifest.stage for key, manifest in store_of(home).summaries().items() if key in spare} & {
        "toy-test",
        "toy-translation",
    }


@pytest.mark.soak
@settings(max_examples=8)
@example(share=None, keep_best=True, again=False)
@example(share=0.6, keep_best=True, again=True)
@given(share=st.none() | st.floats(0, 1), keep_best=st.booleans(), again=st.booleans())
def test_after_any_prune_every_report_says_what_it_said(
    ended: Path, tmp_path_factory: pytest.TempPathFactory, share: float | None, keep_best: bool, again: bool
) -> None:
    home = copied(ended, tmp_path_factory.getbasetemp() / "pruned")
    before, found, store = reports(home), referenced_stages(home), store_of(home)
    total = plan(store, kept=found.keys).total
    for _ in range(1 + again):
        pruned(home, found, budget=None if share is None else int(share * total), keep_best=keep_best)
    assert reports(home) == before
    thinned = {key for key in found.keys if not store.whole(key)}
    assert thinned <= (found.spare if keep_best else set())
    assert all(store.has(key) for key in found.keys)
    if share is None:
        assert keys(home) == found.keys
        assert thinned == (found.spare if keep_best else set())


def test_a_search_that_grows_trains_again_what_it_needs_of_what_was_thinned(home: Path) -> None:
    """A third finalist was a trial that had lost: its replicate under the first seed needs its weights."""
    before = reports(home)[0]
    pruned(home, referenced_stages(home))
    store, count = store_of(home), len(executions(home))
    thinned = {key for key in keys(home) if not store.whole(key)}
    grown = search(trials=5, finalists=3)
    carry_out_search(driver_of(grown, home))
    again = [line["key"] for line in executions(home)[count:] if line["key"] in thinned]
    assert sorted(again) == sorted({key for key in thinned if store.whole(key)})
    assert len(again) == 2  # segmentation and polish of one trial
    after = reports(home)[0]
    assert after.trials == before.trials
    assert after.finalists[:2] == before.finalists


def test_a_sweep_goes_on_after_a_prune_and_trains_nothing_twice(home: Path) -> None:
    pruned(home, referenced_stages(home))
    store, count = store_of(home), len(executions(home))
    thinned = {key for key in keys(home) if not store.whole(key)}
    more = {**RETUNED, "seeds": (0, 1, 2)}
    sweep = sweep_of(ablation(**more), home)
    sweep_out(sweep)
    assert not thinned & {line["key"] for line in executions(home)[count:]}
    assert sweep.counts.stored == sweep.counts.distinct


def test_a_sweep_trains_again_a_stage_that_was_thinned_and_is_taken(home: Path) -> None:
    """As when a pruned stage turns out to be what a new study's row needs."""
    store = store_of(home)
    swept = header(home, ABLATION)
    cell = next(cell for cell in swept["cells"] if cell["seed"] == 1)
    chain = [key for _, key in cell["stages"]]
    pruned(home, ReferencedStages(frozenset(keys(home)), frozenset(keys(home))))
    assert not any(store.whole(key) for key in keys(home))
    shutil.rmtree(store.folder(chain[-1]))
    count = len(executions(home))
    sweep_out(sweep_of(ablation(**RETUNED), home))
    assert [line["key"] for line in executions(home)[count:]] == chain
    assert {key for key in keys(home) if store.whole(key)} == set(chain)


def hold(path: Path, held: Event, release: Event) -> None:
    with locked(path):
        held.set()
        release.wait(60)


@pytest.fixture
def driven(home: Path) -> Iterator[None]:
    """Another process runs the search."""
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    lock = home / "studies" / SEARCH / "driver.lock"
    process = context.Process(target=hold, args=(lock, held, release))
    process.start()
    assert held.wait(20)
    yield
    release.set()
    process.join(20)


@pytest.mark.usefixtures("driven")
def test_a_study_that_is_being_run_may_still_need_everything(home: Path) -> None:
    spare = referenced_stages(home).spare
    assert not spare & listed(home, SEARCH, {"trial"})
    assert spare  # the ablation rests


@pytest.mark.parametrize("change", [{"chosen": []}, {"trials": 6}])
def test_a_search_that_has_not_ended_may_still_need_everything(home: Path, change: dict[str, Any]) -> None:
    edit_header(home, SEARCH, **change)
    assert not referenced_stages(home).spare & listed(home, SEARCH, {"trial"})


def test_a_row_that_has_chosen_nothing_yet_may_need_every_candidate(home: Path) -> None:
    undecided = [{**one, "chosen": False} for one in header(home, ABLATION)["candidates"]]
    edit_header(home, ABLATION, cells=[], candidates=undecided)
    assert not referenced_stages(home).spare & {key for one in undecided for _, key in one["stages"]}


def test_a_header_that_cannot_be_read_stops_everything(home: Path) -> None:
    (home / "studies" / SEARCH / "study.json").write_text("{torn")
    with pytest.raises(BadInput, match=r"study\.json is no whole JSON .*; run its study again"):
        referenced_stages(home)


def edit_line(path: Path, number: int, old: bytes, new: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[number]
    lines[number] = lines[number].replace(old, new, 1)
    path.write_bytes(b"".join(lines))


LEDGER_DAMAGES: dict[str, Callable[[Path], None]] = {
    "first line": lambda path: edit_line(path, 0, b'"seed":0', b'"sead":0'),
    "key": lambda path: edit_line(path, 2, b'"key":"', b'"key":"0'),
    "end": lambda path: edit_line(path, 1, b"finished", b"finnished"),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "number": lambda path: path.write_bytes(b"17\n" + path.read_bytes()),
}


@pytest.mark.parametrize("study", [SEARCH, ABLATION])
@pytest.mark.parametrize("damage", LEDGER_DAMAGES)
def test_a_line_that_cannot_be_read_stops_everything_until_the_study_has_ended_again(
    home: Path, damage: str, study: str
) -> None:
    before = referenced_stages(home)
    LEDGER_DAMAGES[damage](home / "studies" / study / LEDGER)
    with pytest.raises(
        BadInput, match=rf"^line \d+ of .*{study}/ledger.jsonl .*: run the study again first"
    ) as refusal:
        referenced_stages(home)
    assert "\n" not in str(refusal.value)
    if study == SEARCH:
        assert not run_search(search(trials=5, finalists=2), study_environment(home)).trained
    else:
        run_ablation(ablation(**RETUNED), {"brats2020": study_environment(home)}, only=["as proposed"])
        with pytest.raises(BadInput, match="run the study again first"):
            referenced_stages(home)
        assert not run_ablation(ablation(**RETUNED), {"brats2020": study_environment(home)}).trained
    assert referenced_stages(home) == before
    append_line(home / "studies" / study / LEDGER, {"event": "started"})
    with pytest.raises(BadInput, match="run the study again first"):
        referenced_stages(home)


@pytest.mark.parametrize("study", [SEARCH, ABLATION])
def test_a_header_that_was_set_aside_stops_everything_until_there_is_another(home: Path, study: str) -> None:
    before, path = referenced_stages(home), home / "studies" / study / HEADER
    content = path.read_bytes()
    path.write_bytes(b"{torn")
    set_aside(path)
    with pytest.raises(BadInput, match=r"study.json.damaged-\S+ was set aside as damaged, so .*: run the study again"):
        referenced_stages(home)
    path.write_bytes(content)
    assert referenced_stages(home) == before
