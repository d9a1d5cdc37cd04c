import errno
import json
import multiprocessing
import shutil
import time
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import warn_once
from medsearch.stages.manifest import THINNED, Manifest
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
        store.commit("k", Manifest(metrics={}))
    assert not store.has("k")
    assert list(store.artifacts()) == []
    assert (store.folder("k") / "checkpoint").exists()  # there is still something to go on from
    monkeypatch.undo()
    outputs(store, "k", "again")
    artifact = store.commit("k", Manifest(metrics={"validation/dice": 0.5}))
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
        store.commit(key, Manifest(metrics={}, node=key))
    outputs(store, "c")
    assert [artifact.key for artifact in store.artifacts()] == ["a", "b"]


def test_the_index_is_what_the_manifests_say_whatever_has_happened_to_it(store: Store) -> None:
    assert store.summaries() == {}
    for key in ("b", "a"):
        outputs(store, key)
        store.commit(key, Manifest(metrics={}, node=key, notes={"cases": [1] * 100}))
    outputs(store, "c")
    expected = {key: Manifest(metrics={}, node=key) for key in ("a", "b")}
    assert store.summaries() == store.summaries() == expected
    index = store.root / ".index.jsonl"
    index.write_text(index.read_text()[:-5])
    assert store.summaries() == expected
    store.commit("c", Manifest(metrics={}, node="c"))
    assert store.summaries() == {**expected, "c": Manifest(metrics={}, node="c")}
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
        store.commit("k", Manifest(metrics={"a": 1.0}))
    (store.folder("k") / "weights.bin").write_text("Weights")
    assert (store.has("k"), store.whole("k")) == (True, False)
    with store.lock("k"):
        with pytest.raises(
            Damaged, match=r"k/weights\.bin was changed since it was written; `medsearch verify --set-a"
        ):
            store.artifact("k").file("weights.bin")
        store.set_aside_damaged("k")
        assert (store.has("k"), [path.name for path in store.folder("k").iterdir()]) == (False, ["lock"])
        outputs(store, "k", "anew")
        store.commit("k", Manifest(metrics={"a": 1.0}))
    assert store.artifact("k").file("weights.bin").read_text() == "anew"
    (aside,) = store.root.glob("k.damaged-*")
    assert (aside / "weights.bin").read_text() == "Weights"
    assert set(store.summaries()) == {"k"}
    with store.lock("k"):
        store.set_aside_damaged("k")  # nothing is damaged: nothing happens
    assert store.whole("k")


@pytest.mark.parametrize("thinned", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_whoever_asks_for_a_damaged_output_has_its_stage_set_aside_and_trained_anew(
    store: Store, thinned: bool, again: bool
) -> None:
    """A report does so of a complete study, in which no stage takes it any more; of a thinned stage, its light ones."""
    outputs(store, "k")
    store.commit("k", Manifest(metrics={"a": 1.0}))
    if thinned:
        (store.folder("k") / THINNED).write_text("{}")
        (store.folder("k") / "weights.bin").unlink()
    (store.folder("k") / "pictures" / "one.png").write_text("changed")
    artifact = store.artifact("k")
    if again:
        store = Store(store.root)
        artifact = store.artifact("k")
    with pytest.raises(
        Damaged, match=r"pictures/one\.png (was changed|has 7 bytes).*its stage is in .*k\.damaged-.* now: run"
    ):
        artifact.file("pictures")
    assert not store.has("k")
    assert store.summaries() == {}
    with pytest.raises(Damaged, match=r"stage k in .* has no readable manifest"):
        artifact.file("pictures")
    outputs(store, "k", "anew")
    assert (store.commit("k", Manifest(metrics={"a": 1.0})).file("pictures") / "one.png").read_text() == "anew"


def test_a_thinned_stage_with_a_damaged_light_output_is_set_aside_under_its_lock(store: Store) -> None:
    outputs(store, "k")
    store.commit("k", Manifest(metrics={"a": 1.0}))
    (store.folder("k") / THINNED).write_text("{}")
    (store.folder("k") / "weights.bin").unlink()
    with store.lock("k"):
        store.set_aside_damaged("k")
        assert store.has("k"), "what was pruned is no damage"
        (store.folder("k") / "pictures" / "one.png").write_text("changed")
        store.set_aside_damaged("k")
    assert not store.has("k")


@pytest.mark.parametrize("where", ["weights.bin", "pictures/one.png", "pictures/more"])
def test_an_output_that_is_a_link_is_refused_at_commit(store: Store, tmp_path: Path, where: str) -> None:
    aside = outputs(store, "k")
    (tmp_path / "elsewhere").mkdir()
    (aside / where).unlink(missing_ok=True)
    (aside / where).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        BadInput, match=rf"stage k leaves {where}, which is a link to .*elsewhere; have it write the file"
    ):
        store.commit("k", Manifest(metrics={}))
    assert not store.has("k")
    outputs(store, "k")
    store.commit("k", Manifest(metrics={}))
    assert store.whole("k")


def test_an_output_that_was_a_link_is_damage_and_trained_anew(store: Store, tmp_path: Path) -> None:
    outputs(store, "k")
    store.commit("k", Manifest(metrics={}))
    (store.folder("k") / "weights.bin").rename(tmp_path / "weights.bin")
    (store.folder("k") / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert not store.whole("k")
    with store.lock("k"):
        store.set_aside_damaged("k")
    assert not store.has("k")


def test_a_full_disk_costs_the_index_and_no_plan(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs(store, "k")
    store.commit("k", Manifest(metrics={"a": 1.0}))
    for code in (errno.ENOSPC, errno.EROFS, errno.EACCES):

        def refused(*_: object, code: int = code) -> None:
            raise OSError(code, "refused")

        monkeypatch.setattr("medsearch.stages.index.write_bytes", refused)
        assert set(store.summaries()) == {"k"}


def test_an_output_that_is_gone_is_no_damage(store: Store) -> None:
    """It was pruned by hand, or has stayed elsewhere: the manifest says what it said."""
    outputs(store, "k")
    store.commit("k", Manifest(metrics={"a": 1.0}))
    (store.folder("k") / "weights.bin").unlink()
    store.set_aside_damaged("k")
    assert (store.has("k"), store.whole("k")) == (True, False)


def test_manifests_that_were_swapped_are_none(store: Store) -> None:
    for key, value in (("a", 1.0), ("b", 2.0)):
        outputs(store, key)
        store.commit(key, Manifest(metrics={"x": value}))
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


def damaged_line(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"seconds":', b'"Seconds":')
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(("damaged", "lost"), [((1,), 1), ((0,), 1), ((4,), 1), ((1, 2, 4), 3), ((), 0)])
def test_epochs_whose_lines_are_damaged_are_counted_as_lost(
    store: Store, damaged: tuple[int, ...], lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    warn_once.cache_clear()
    for number in range(1, 6):
        store.record("k", Epoch(number, {"x": 1.0}), seconds=1.0, time=5.0)
    for number in damaged:
        damaged_line(store.folder("k") / JOURNAL, number)
    assert store.lost_epochs("k") == lost
    assert len(store.journal("k")) == 5 - lost
    assert ("curves lack its epoch, whose seconds are taken to be those of the others" in caplog.text) == bool(lost)


def test_an_epoch_whose_line_was_torn_and_that_was_recorded_again_is_not_lost(store: Store) -> None:
    store.record("k", Epoch(1, {"x": 1.0}), seconds=1.0, time=5.0)
    with (store.folder("k") / JOURNAL).open("a") as file:
        file.write('{"epoch": 2, "metr')
    assert store.lost_epochs("k") == 1
    store.record("k", Epoch(2, {"x": 1.0}), seconds=1.0, time=5.0)
    assert store.lost_epochs("k") == 0


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
