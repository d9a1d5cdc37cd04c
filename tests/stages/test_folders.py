"""A finished stage that is trained anew: what it was stays whole until then, whatever is killed on the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.records import read_json
from medsearch.stages.manifest import MANIFEST, REPLACED, Manifest, Replaced, TrainingCode
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from tests.stages.nodes import FACTS, WEIGHTS, Nodes, outputs

OLD, NEW = 100.0, 200.0


def train(store: Store, key: str, *, finished: float, code: str) -> None:
    """As `run_stage` does."""
    with store.lock(key):
        store.drop_other(key, code)
        if not store.has(key):
            told = {"code": code, "commit": f"of {code}"}
            store.record(key, Epoch(1, {"x": finished}), seconds=1.0, time=5.0, more=told)
            outputs(store, key, code)
            trained_by = TrainingCode(commit=code * 10, dirty=False, digest=code)
            store.commit(key, Manifest(metrics={"x": finished}, finished=finished, stage="s", code=trained_by))


def outdated(store: Store) -> Store:
    return replace(store, outdated={"k": OLD})


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"lock"}


def test_the_old_is_kept_until_the_new_is_finished_and_named_by_it(tmp_path: Path) -> None:
    plain = Store(tmp_path / "stages")
    train(plain, "k", finished=OLD, code="a")
    anew, before = outdated(plain), files(plain.folder("k"))
    assert (plain.has("k"), plain.whole("k"), anew.has("k"), anew.whole("k")) == (True, True, False, False)
    with anew.lock("k"):
        assert not plain.has("k")
        assert plain.summaries() == {}
        assert {name.removeprefix(f"{REPLACED}/") for name in files(plain.folder("k"))} == before
        assert anew.journal("k") == []
    assert not plain.has("k")
    train(anew, "k", finished=NEW, code="b")
    for store in (plain, anew):
        assert store.has("k")
        assert store.artifact("k").metrics == {"x": NEW}
        assert store.artifact("k").manifest.replaces == Replaced(finished=OLD, code="commit aaaaaaaaaa")
        assert store.artifact("k").file(WEIGHTS).read_text() == f"{WEIGHTS} b"
        assert [line["code"] for line in store.journal("k")] == ["b"]
    assert files(plain.folder("k")) == before
    assert plain.summaries()["k"].finished == NEW
    train(anew, "k", finished=300.0, code="c")
    assert plain.artifact("k").metrics == {"x": NEW}, "it is trained anew once"


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it and tidy up."""


def dying(monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    """Die at the `when`-th change of a folder, before or after it."""
    left = [when]

    def wrap(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            result = change(*args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return result

        return changed

    for name in ("rename", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, wrap(getattr(Path, name)))


def test_killed_anywhere_it_ends_the_same(tmp_path: Path) -> None:
    when = 0
    while True:
        when += 1
        plain = Store(tmp_path / str(when) / "stages")
        train(plain, "k", finished=OLD, code="a")
        whole = files(plain.folder("k"))
        try:
            with pytest.MonkeyPatch.context() as patch:
                dying(patch, when)
                train(outdated(plain), "k", finished=NEW, code="b")
        except Killed:
            kept = files(plain.folder("k"))
            found = plain.folder("k") / REPLACED / MANIFEST
            if plain.has("k"):
                assert plain.artifact("k").metrics["x"] in (OLD, NEW)
            elif "facts.json" not in kept:
                assert read_json(found)["finished"] == OLD, "the old is there until the new is"
            train(outdated(plain), "k", finished=NEW, code="b")
        else:
            break
        assert plain.artifact("k").metrics == {"x": NEW}, when
        assert plain.artifact("k").file(FACTS).read_text() == f"{FACTS} b", when
        assert [line["code"] for line in plain.journal("k")] == ["b"], when
        assert {name for name in files(plain.folder("k")) if not name.startswith(".")} == whole, when
    assert when > 20


def test_what_other_code_began_is_begun_anew_where_stages_are(tmp_path: Path) -> None:
    plain = Store(tmp_path / "stages")
    anew = replace(plain, outdated={})
    for store, code, kept in ((plain, "b", True), (anew, "a", True), (anew, "b", False)):
        with store.lock("k"):
            plain.record("k", Epoch(1, {}), seconds=1.0, time=5.0, more={"code": "a"})
            (plain.folder("k") / "checkpoint").mkdir(exist_ok=True)
            store.drop_other("k", code)
            assert (plain.folder("k") / "checkpoint").exists() == kept
            assert bool(store.journal("k")) == kept


def test_a_stage_that_was_pruned_keeps_its_first_manifest_and_says_what_trained_it_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "stages")
    train(store, "k", finished=OLD, code="a")
    outputs(store, "k", "b")
    code = TrainingCode(commit="b", dirty=False, digest="b")
    manifest = store.commit("k", Manifest(metrics={"x": NEW}, finished=NEW, code=code)).manifest
    assert (manifest.finished, manifest.training_code.digest) == (OLD, "a")
    assert manifest.again.code.digest == "b"


def test_nodes_that_hold_a_copy_take_what_was_trained_anew(nodes: Nodes) -> None:
    train(nodes["one"], "k", finished=OLD, code="a")
    for name in ("two", "three", "four"):
        nodes[name].artifact("k").file(WEIGHTS)
    two = outdated(nodes["two"])
    assert not two.has("k")
    train(two, "k", finished=NEW, code="b")
    assert nodes.files.sizes("replaced").keys()
    three = outdated(nodes["three"])
    three.adopt_renewed()
    assert replace(three, outdated=None).artifact("k").metrics == {"x": NEW}
    three = outdated(nodes["four"])
    assert three.has("k")
    assert three.whole("k")
    artifact = three.artifact("k")
    assert artifact.metrics == {"x": NEW}
    assert artifact.file(WEIGHTS).read_text() == f"{WEIGHTS} b"
    assert artifact.file(FACTS).read_text() == f"{FACTS} b"
    assert [line["code"] for line in three.journal("k")] == ["b"]
    assert nodes["new"].artifact("k").metrics == {"x": NEW}


def test_another_node_goes_on_with_what_one_began_anew(nodes: Nodes) -> None:
    train(nodes["one"], "k", finished=OLD, code="a")
    nodes["two"].artifact("k").file(WEIGHTS)
    one = outdated(nodes["one"])
    with one.lock("k"):
        one.record("k", Epoch(1, {"x": 1.0}), seconds=1.0, time=5.0, more={"code": "b"})
        (one.folder("k") / "checkpoint").mkdir()
        (one.folder("k") / "checkpoint" / "state").write_text("half")
    two = outdated(nodes["two"])
    assert not two.has("k")
    with two.lock("k"):
        two.drop_other("k", "b")
        assert (two.folder("k") / "checkpoint" / "state").read_text() == "half"
        assert [line["code"] for line in two.journal("k")] == ["b"]
