import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.records import read_json
from medsearch.stages import prune
from medsearch.stages.manifest import Manifest, TrainedAgain
from medsearch.stages.prune import Pruning, carry_out, plan
from medsearch.stages.stage import Epoch
from medsearch.stages.store import JOURNAL, MANIFEST, Store

LIGHT = {"facts.json": 20, "pictures/one.png": 30, "tiles/kind/a.npz": 40}
HEAVY = {"weights.safetensors": 1000, "deep/volume.npy": 2000}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "stages")


def write(folder: Path, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)


def finished(store: Store, key: str, *, age: float = 0.0, upstream: Mapping[str, str] | None = None) -> None:
    store.record(key, Epoch(1, {"x": 0.5}), seconds=1.0, time=5.0)
    write(store.aside(key), LIGHT | HEAVY)
    store.commit(key, Manifest(metrics={"x": 0.5}, upstream=dict(upstream or {})))
    grown_old(store, key, age)


def unfinished(store: Store, key: str, *, age: float = 0.0) -> None:
    store.record(key, Epoch(1, {"x": 0.5}), seconds=1.0, time=5.0)
    write(store.folder(key), {"checkpoint/state": 5000, ".aside/half": 100})
    grown_old(store, key, age)


def grown_old(store: Store, key: str, age: float) -> None:
    for path in store.folder(key).rglob("*"):
        os.utime(path, (time.time() - age, time.time() - age))


def files(store: Store, key: str) -> set[str]:
    folder = store.folder(key)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"lock"}


def cuts(planned: Pruning) -> list[tuple[str, str]]:
    return [(cut.act, cut.stage.key) for cut in planned.cuts]


def done(store: Store, planned: Pruning) -> list[str]:
    return [cut.stage.key for cut in carry_out(store, planned.cuts, still=lambda _: True)]


def test_what_nothing_mentions_goes_and_what_is_mentioned_stays_with_all_it_took(store: Store) -> None:
    finished(store, "prefix")
    finished(store, "kept", upstream={"translation": "prefix"})
    finished(store, "lost", upstream={"translation": "prefix"})
    unfinished(store, "begun")
    unfinished(store, "dead")
    planned = plan(store, kept={"kept", "begun", "not trained yet"})
    assert sorted(cuts(planned)) == [("remove", "dead"), ("remove", "lost")]
    before = plan(store, kept=()).total
    assert sorted(done(store, planned)) == ["dead", "lost"]
    assert sorted(path.name for path in store.root.iterdir() if path.name[0] != ".") == ["begun", "kept", "prefix"]
    after = plan(store, kept={"kept", "begun"})
    assert after.cuts == ()
    assert after.total == before - planned.frees
    assert sorted(store.summaries()) == ["kept", "prefix"]


def test_a_thinned_stage_says_so_and_keeps_all_that_is_light(store: Store) -> None:
    finished(store, "winner")
    finished(store, "trial")
    unfinished(store, "cut")
    manifest = (store.folder("trial") / MANIFEST).read_bytes()
    planned = plan(store, kept={"winner", "trial", "cut"}, spare={"trial", "cut"})
    assert sorted(cuts(planned)) == [("forget progress", "cut"), ("thin", "trial")]
    assert planned.frees == sum(HEAVY.values()) + 5100
    done(store, planned)
    assert files(store, "trial") == {*LIGHT, MANIFEST, JOURNAL, "thinned.json"}
    assert (store.folder("trial") / MANIFEST).read_bytes() == manifest
    assert read_json(store.folder("trial") / "thinned.json")["files"] == HEAVY
    assert (store.has("trial"), store.whole("trial"), store.whole("winner")) == (True, False, True)
    assert files(store, "cut") == {JOURNAL}
    with pytest.raises(BadInput, match=r"weights.safetensors of stage trial in .* was pruned; run its study again"):
        store.artifact("trial").file("weights.safetensors")
    assert store.artifact("trial").file("pictures").is_dir()
    assert plan(store, kept={"winner", "trial", "cut"}, spare={"trial", "cut"}).cuts == ()


def test_what_is_spare_but_taken_by_something_needed_stays_whole(store: Store) -> None:
    finished(store, "trial")
    finished(store, "test", upstream={"segmentor": "trial"})
    assert plan(store, kept={"trial", "test"}, spare={"trial"}).cuts == ()
    assert cuts(plan(store, kept={"trial", "test"}, spare={"trial", "test"})) == [("thin", "trial"), ("thin", "test")]


def test_a_thinned_stage_that_is_trained_again_is_whole_and_says_what_it_said(store: Store) -> None:
    finished(store, "trial")
    done(store, plan(store, kept={"trial"}, spare={"trial"}))
    journal = store.journal("trial")
    write(store.aside("trial"), LIGHT | HEAVY)
    artifact = store.commit("trial", Manifest(metrics={"x": 0.6}, upstream={}, seconds=2.0))
    assert store.whole("trial")
    assert files(store, "trial") == {*LIGHT, *HEAVY, MANIFEST, JOURNAL}
    assert artifact.metrics == {"x": 0.5}
    assert artifact.manifest.again == TrainedAgain(metrics={"x": 0.6}, seconds=2.0)
    assert store.journal("trial") == journal


def test_a_budget_is_met_with_the_oldest_and_unmentioned_first(store: Store) -> None:
    for number, key in enumerate(("new", "old", "middle")):
        finished(store, key, age=[1000, 9000, 5000][number])
        finished(store, f"spare {key}", age=[1000, 9000, 5000][number] * 100)
    kept = {"spare new", "spare old", "spare middle"}
    everything = plan(store, kept=kept, spare=kept)
    assert cuts(everything) == [
        *(("remove", key) for key in ("old", "middle", "new")),
        *(("thin", f"spare {key}") for key in ("old", "middle", "new")),
    ]
    for count in range(7):
        freed = sum(cut.frees for cut in everything.cuts[:count])
        budget = everything.total - freed
        assert plan(store, kept=kept, spare=kept, budget=budget).cuts == everything.cuts[:count]
        if count:
            assert plan(store, kept=kept, spare=kept, budget=budget + 1).cuts == everything.cuts[:count]


def hold(store: Store, key: str, held: Event, release: Event) -> None:
    with store.lock(key):
        held.set()
        release.wait(60)


@pytest.fixture
def held(store: Store) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    begun, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(store, "held", begun, release))
    process.start()
    assert begun.wait(20)
    yield
    release.set()
    process.join(20)


@pytest.mark.usefixtures("held")
def test_a_stage_that_a_process_holds_is_left_alone(store: Store) -> None:
    unfinished(store, "held")
    unfinished(store, "free")
    planned = plan(store, kept=())
    assert cuts(planned) == [("remove", "free")]
    assert planned.held == 1


def test_a_stage_that_was_taken_meanwhile_is_left_alone(store: Store, request: pytest.FixtureRequest) -> None:
    unfinished(store, "held")
    finished(store, "mentioned")
    finished(store, "lost")
    planned = plan(store, kept=())
    assert planned.held == 0
    request.getfixturevalue("held")
    freed = carry_out(store, planned.cuts, still=lambda cut: cut.stage.key != "mentioned")
    assert [cut.stage.key for cut in freed] == ["lost"]
    assert files(store, "held") == {JOURNAL, "checkpoint/state", ".aside/half"}
    assert store.whole("mentioned")


def test_a_kill_leaves_no_half_of_a_stage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal is a rename; a thinned stage is marked before it lacks anything."""
    finished(store, "lost")
    finished(store, "trial")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prune.shutil, "rmtree", killed)
    monkeypatch.setattr(Path, "unlink", killed)
    planned = plan(store, kept={"trial"}, spare={"trial"})
    for cut in planned.cuts:
        with pytest.raises(KeyboardInterrupt):
            list(carry_out(store, [cut], still=lambda _: True))
        monkeypatch.setattr(prune.Path, "glob", lambda *_: iter(()))
    monkeypatch.undo()
    assert not store.has("lost")
    assert not store.folder("lost").exists()
    assert (store.has("trial"), store.whole("trial")) == (True, False)
    done(store, plan(store, kept={"trial"}, spare={"trial"}))
    assert [path.name for path in store.root.iterdir() if path.is_dir()] == ["trial"]
    assert files(store, "trial") == {*LIGHT, MANIFEST, JOURNAL, "thinned.json"}


def test_what_is_no_stage_is_not_looked_at(store: Store) -> None:
    write(store.root, {"notes/thoughts.txt": 10, "loose.txt": 10})
    assert plan(store, kept=()) == Pruning(cuts=(), total=0, stages=0, held=0)
    assert plan(Store(store.root / "nowhere"), kept=()).stages == 0
