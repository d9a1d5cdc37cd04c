import json
import multiprocessing
import shutil
import time
from pathlib import Path

import pytest

from medsearch.core.errors import Damaged
from medsearch.stages.stage import Epoch
from medsearch.stages.store import JOURNAL, MANIFEST, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "stages")


def outputs(store: Store, key: str, text: str = "weights") -> Path:
    aside = store.aside(key)
    (aside / "weights.bin").write_text(text)
    (aside / "pictures").mkdir()
    (aside / "pictures" / "one.png").write_text(text)
    return aside


def test_a_stage_is_finished_when_its_manifest_is_there_and_not_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs(store, "k")
    (store.folder("k") / "checkpoint").mkdir()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medsearch.stages.store.write_sealed", killed)
    with pytest.raises(KeyboardInterrupt):
        store.commit("k", {"metrics": {}})
    assert not store.has("k")
    assert list(store.artifacts()) == []
    assert (store.folder("k") / "checkpoint").exists()  # there is still something to go on from
    monkeypatch.undo()
    outputs(store, "k", "again")
    artifact = store.commit("k", {"metrics": {"validation/dice": 0.5}})
    assert store.has("k")
    assert artifact.metrics == {"validation/dice": 0.5}
    assert artifact.file("weights.bin").read_text() == "again"
    assert (artifact.directory / "pictures" / "one.png").read_text() == "again"
    assert sorted(path.name for path in artifact.directory.iterdir()) == [MANIFEST, "pictures", "weights.bin"]


def test_aside_is_empty_whatever_a_crash_has_left(store: Store) -> None:
    outputs(store, "k")
    assert list(store.aside("k").iterdir()) == []


def test_artifacts_are_those_that_are_finished(store: Store) -> None:
    for key in ("b", "a"):
        outputs(store, key)
        store.commit(key, {"metrics": {}, "node": key})
    outputs(store, "c")
    assert [artifact.key for artifact in store.artifacts()] == ["a", "b"]


def test_the_index_is_what_the_manifests_say_whatever_has_happened_to_it(store: Store) -> None:
    assert store.summaries() == {}
    for key in ("b", "a"):
        outputs(store, key)
        store.commit(key, {"metrics": {}, "node": key, "notes": {"cases": [1] * 100}})
    outputs(store, "c")
    expected = {key: {"metrics": {}, "node": key} for key in ("a", "b")}
    assert store.summaries() == store.summaries() == expected
    index = store.root / ".index.jsonl"
    index.write_text(index.read_text()[:-5])
    assert store.summaries() == expected
    store.commit("c", {"metrics": {}, "node": "c"})
    assert store.summaries() == {**expected, "c": {"metrics": {}, "node": "c"}}
    shutil.rmtree(store.folder("a"))
    assert list(store.summaries()) == ["b", "c"]
    index.unlink()
    assert list(store.summaries()) == ["b", "c"]
    (store.folder("b") / MANIFEST).write_text("{torn")
    index.unlink()
    assert list(store.summaries()) == ["c"]


@pytest.mark.parametrize("content", [None, "{torn", "", "17", "{}", "[]", '{"metrics": 3}', '{"metrics": {"a": "b"}}'])
def test_a_stage_without_a_readable_manifest_is_named(store: Store, content: str | None) -> None:
    store.folder("k").mkdir(parents=True)
    if content is not None:
        (store.folder("k") / MANIFEST).write_text(content)
    with pytest.raises(Damaged, match=r"stages(/k/manifest.json| has no readable manifest) .*; run its study again"):
        store.artifact("k")
    assert (store.has("k"), store.whole("k"), store.summaries(), list(store.artifacts())) == (False, False, {}, [])


def test_a_damaged_stage_is_set_aside_under_its_lock(store: Store) -> None:
    with store.lock("k"):
        outputs(store, "k")
        store.commit("k", {"metrics": {"a": 1.0}})
    (store.folder("k") / "weights.bin").write_text("Weights")
    assert (store.has("k"), store.whole("k")) == (True, False)
    with pytest.raises(Damaged, match=r"k/weights\.bin was changed since it was written; run its study again"):
        store.artifact("k").file("weights.bin")
    with store.lock("k"):
        store.put_aside_damaged("k")
        assert (store.has("k"), [path.name for path in store.folder("k").iterdir()]) == (False, ["lock"])
        outputs(store, "k", "anew")
        store.commit("k", {"metrics": {"a": 1.0}})
    assert store.artifact("k").file("weights.bin").read_text() == "anew"
    (aside,) = store.root.glob("k.damaged-*")
    assert (aside / "weights.bin").read_text() == "Weights"
    assert set(store.summaries()) == {"k"}
    with store.lock("k"):
        store.put_aside_damaged("k")  # nothing is damaged: nothing happens
    assert store.whole("k")


def test_an_output_that_is_gone_is_no_damage(store: Store) -> None:
    """It was pruned by hand, or has stayed elsewhere: the manifest says what it said."""
    outputs(store, "k")
    store.commit("k", {"metrics": {"a": 1.0}})
    (store.folder("k") / "weights.bin").unlink()
    store.put_aside_damaged("k")
    assert (store.has("k"), store.whole("k")) == (True, False)


def test_manifests_that_were_swapped_are_none(store: Store) -> None:
    for key, value in (("a", 1.0), ("b", 2.0)):
        outputs(store, key)
        store.commit(key, {"metrics": {"x": value}})
    (store.folder("a") / MANIFEST).rename(store.root / "aside")
    (store.folder("b") / MANIFEST).rename(store.folder("a") / MANIFEST)
    (store.root / "aside").rename(store.folder("b") / MANIFEST)
    assert (store.summaries(), store.has("a"), store.has("b")) == ({}, False, False)
    with pytest.raises(Damaged, match=r"a/manifest\.json is the manifest of stage 'b'"):
        store.artifact("a")


def test_the_journal_keeps_the_first_record_of_every_epoch_in_order(store: Store) -> None:
    for number, value in ((1, 0.1), (3, 0.3), (2, 0.2), (3, 0.9), (1, 0.9)):
        store.record("k", Epoch(number, {"x": value}), seconds=1.0, time=5.0)
    with (store.folder("k") / JOURNAL).open("a") as file:
        file.write('{"epoch": 4, "metr')  # a crash in the middle of a line
    store.record("k", Epoch(5, {"x": 0.5}), seconds=1.0, time=5.0)
    assert [(line["epoch"], line["metrics"]["x"]) for line in store.journal("k")] == [
        (1, 0.1), (2, 0.2), (3, 0.3), (5, 0.5),
    ]  # fmt: skip
    assert Store(store.root).journal("unknown") == []


def hold(root: Path, seconds: float, log: Path) -> None:
    with Store(root).lock("k"):
        log.write_text(json.dumps({"held": time.time()}))
        time.sleep(seconds)


def test_the_lock_is_between_processes_and_dies_with_its_holder(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "held"
    holder = multiprocessing.get_context("fork").Process(target=hold, args=(store.root, 60.0, log))
    holder.start()
    while not log.exists():
        time.sleep(0.01)
    waiter = multiprocessing.get_context("fork").Process(target=hold, args=(store.root, 0.0, tmp_path / "second"))
    waiter.start()
    waiter.join(0.3)
    assert waiter.is_alive()
    holder.kill()
    waiter.join(10)
    assert waiter.exitcode == 0
    assert (tmp_path / "second").exists()
