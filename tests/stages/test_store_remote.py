"""Nodes that share nothing but a URI: each has a root of its own and, as its own process would, its own view of it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medsearch.core import remote as remote_module
from medsearch.core.codec import encoded
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import read_json, sealed, warn_once
from medsearch.core.remote import Remote, Unreachable
from medsearch.stages import bucket as bucket_module
from medsearch.stages.bucket import bucket_at
from medsearch.stages.manifest import THINNED, Manifest, TrainedAgain
from medsearch.stages.store import JOURNAL, MANIFEST, Store
from tests.bucket import Buckets
from tests.stages.nodes import FACTS, PICTURE, TILE, VOLUME, WEIGHTS, Nodes, finish, here, outputs


def test_another_node_finds_a_finished_stage_and_fetches_what_is_heavy_when_asked(nodes: Nodes) -> None:
    finish(nodes["one"], "k")
    other = nodes["two"]
    assert (other.has("k"), other.whole("k"), here(other, "k")) == (True, True, set())
    artifact = other.artifact("k")
    assert artifact.metrics == {"validation/dice": 0.5}
    assert here(other, "k") == {MANIFEST, JOURNAL, PICTURE, TILE, FACTS}
    assert artifact.file(WEIGHTS).read_text() == "weights.bin weights"
    assert (artifact.file("deep") / "volume.npy").read_text() == "deep/volume.npy weights"
    assert here(other, "k") == {MANIFEST, JOURNAL, PICTURE, TILE, FACTS, WEIGHTS, VOLUME}
    assert other.journal("k") == nodes["one"].journal("k")
    assert artifact.manifest.files[WEIGHTS] == len("weights.bin weights")
    assert set(artifact.manifest.files) == {JOURNAL, PICTURE, TILE, FACTS, WEIGHTS, VOLUME}


def test_no_is_believed_for_a_moment_only(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "FRESH_S", 0.3)
    waiting = nodes["two"]
    view = waiting.bucket
    assert not waiting.has("k")
    finish(nodes["one"], "k")
    bucket_at.cache_clear()
    monkeypatch.setattr("medsearch.stages.store.bucket_at", lambda _: view)
    until = time.monotonic() + 5
    while not waiting.has("k"):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_holder_asks_afresh(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "FRESH_S", 1000.0)
    waiting = nodes["two"]
    view = waiting.bucket
    assert not waiting.has("k")
    finish(nodes["one"], "k")
    monkeypatch.setattr("medsearch.stages.store.bucket_at", lambda _: view)
    assert not waiting.has("k")
    with waiting.lock("k"):
        assert waiting.has("k")


def test_many_questions_are_answered_by_few_requests(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(nodes["one"], "k-7")
    asked: list[str] = []
    for name in ("exists", "sizes"):
        real = getattr(Remote, name)
        monkeypatch.setattr(Remote, name, lambda self, of, real=real: asked.append(of) or real(self, of))
    store = nodes["two"]
    assert [number for number in range(1000) if store.has(f"k-{number}")] == [7]
    assert [number for number in range(1000) if store.has(f"k-{number}")] == [7]
    assert len(asked) <= bucket_module.SINGLY + 2


def test_artifacts_are_those_of_the_uri_and_of_the_folder(nodes: Nodes) -> None:
    for key in ("c", "a"):
        finish(nodes["one"], key, key)
    other = nodes["two"]
    local = Store(other.root)
    finish(local, "b", "b")
    finish(local, "both", "both")
    finish(nodes["one"], "both", "both")
    for _ in range(2):
        known = nodes["two"].summaries()
        assert {key: manifest.node for key, manifest in known.items()} == {key: key for key in ("a", "b", "both", "c")}
    assert here(other, "a") == set()
    found = list(nodes["two"].artifacts())
    assert [artifact.key for artifact in found] == ["a", "b", "both", "c"]
    assert found[0].file(FACTS).read_text() == "facts.json a"


def test_what_was_finished_without_the_uri_is_shared(nodes: Nodes) -> None:
    one = nodes["one"]
    local = Store(one.root)
    finish(local, "old")
    finish(local, "thin")
    (local.folder("thin") / THINNED).write_text("{}")
    manifest = read_json(local.folder("old") / MANIFEST)
    for name in ("files", "digests", "digest", "key"):  # as before manifests had them
        manifest.pop(name)
    (local.folder("old") / MANIFEST).write_text(json.dumps(manifest))
    assert (one.has("old"), one.whole("thin"), nodes["two"].has("old")) == (True, False, False)
    assert (nodes["one"].share(), nodes["one"].share()) == (1, 0)
    artifact = nodes["two"].artifact("old")
    assert artifact.file(VOLUME).read_text() == "deep/volume.npy weights"
    assert {name: encoded(artifact.manifest)[name] for name in manifest} == manifest
    assert not nodes["two"].has("thin")


def test_a_mirror_is_not_taken_for_the_stages_that_it_mirrors(nodes: Nodes, tmp_path: Path) -> None:
    """Without its URI, or with another one, what is heavy is nowhere: it is trained again, and says what it said."""
    finish(nodes["one"], "k")
    mirror = nodes["two"]
    mirror.artifact("k")
    finish(mirror, "own")
    alone, elsewhere = Store(mirror.root), Store(mirror.root, (tmp_path / "another").as_uri())
    for store in (alone, elsewhere):
        assert (store.has("k"), store.whole("k"), store.whole("own")) == (True, False, True)
    assert elsewhere.share() == 1
    outputs(alone, "k")
    artifact = alone.commit("k", Manifest(metrics={"validation/dice": 0.6}))
    assert alone.whole("k")
    assert (artifact.metrics, artifact.manifest.again) == (
        {"validation/dice": 0.5},
        TrainedAgain(metrics={"validation/dice": 0.6}),
    )
    assert nodes["two"].artifact("k").file(VOLUME).read_text() == "deep/volume.npy weights"
    assert elsewhere.share() == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from medsearch.core.remote import Remote
from tests.stages.nodes import finish
from medsearch.stages.store import Store

left = int(sys.argv[3])
def counting(real):
    def counted(self, *arguments, **more):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *arguments, **more)
    return counted
from medsearch.core import remote, records
import medsearch.stages.bucket as bucket
bucket.each = lambda of, items: [of(item) for item in items]
bucket.EVERY_S = 100
Remote.upload, Remote.write = counting(Remote.upload), counting(Remote.write)
Path.replace = counting(Path.replace)
finish(Store(Path(sys.argv[1]), sys.argv[2]), "k")
"""


def require_whole(store: Store) -> None:
    artifact = store.artifact("k")
    for name in (WEIGHTS, VOLUME, PICTURE, TILE, FACTS):
        assert artifact.file(name).read_text() == f"{name} weights"


def in_a_process(code: str, *arguments: object) -> int:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=False, cwd=Path(__file__).parents[1], timeout=60).returncode


@pytest.mark.slow
@pytest.mark.parametrize("writes", [0, 1, 4, 7, 8, 9])
def test_wherever_a_commit_is_killed_the_next_holder_sends_the_rest(nodes: Nodes, writes: int) -> None:
    one = nodes["one"]
    code = in_a_process(KILLED, one.root, nodes.uri, writes)
    assert code in (0, -signal.SIGKILL)
    finished = nodes.files.exists("manifests/k.json")
    assert (code == 0) <= finished
    assert nodes["two"].has("k") == finished
    if finished:  # then it is so wholly, whatever else was left undone
        require_whole(nodes["other"])
    if code == 0:
        return
    with nodes["one"].lock("k"):
        if not nodes["one"].has("k"):  # killed before its outputs were in place: trained again
            outputs(one, "k")
            one.commit("k", Manifest(metrics={}))
    require_whole(nodes["two"])
    assert sorted(path.name for path in one.folder("k").iterdir() if path.name.startswith(".a")) == []


def test_an_output_that_is_torn_or_gone_is_never_taken(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "PAUSES", (0.01,))
    finish(nodes["one"], "k")
    attempt = read_json(nodes["one"].folder("k") / MANIFEST)["attempt"]
    nodes.files.write(f"outputs/k/{attempt}/{WEIGHTS}", b"weig")
    nodes.files.remove(f"outputs/k/{attempt}/{VOLUME}")
    other = nodes["two"]
    artifact = other.artifact("k")
    with pytest.raises(Damaged, match=r"weights\.bin has 4 bytes, 19 were stored; run again"):
        artifact.file(WEIGHTS)
    assert here(other, "k") == {JOURNAL, PICTURE, TILE, FACTS}
    finish(nodes["one"], "l")
    attempt = read_json(nodes["one"].folder("l") / MANIFEST)["attempt"]
    nodes.files.remove(f"outputs/l/{attempt}/{VOLUME}")
    artifact = nodes["two"].artifact("l")
    with pytest.raises(Damaged, match=r"volume\.npy is not there any more; run again"):
        artifact.file(VOLUME)


def flipped(content: bytes) -> bytes:
    return content[:60] + bytes([content[60] ^ 1]) + content[61:]


@pytest.mark.parametrize(
    "damage",
    [flipped, lambda content: content[:50], lambda _: b"17", lambda content: content.replace(b'"k"', b'"l"')],
    ids=["flipped", "cut", "number", "of another stage"],
)
def test_a_manifest_that_is_damaged_at_the_uri_is_set_aside_there_for_all(
    nodes: Nodes, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    warn_once.cache_clear()
    finish(nodes["one"], "k")
    content = nodes.files.read("manifests/k.json")
    assert content is not None
    nodes.files.write("manifests/k.json", damage(content))
    two = nodes["two"]
    assert (two.has("k"), two.whole("k"), two.summaries(), list(two.artifacts())) == (False, False, {}, [])
    assert "manifests/k.json" in caplog.text
    with pytest.raises(Damaged):
        two.artifact("k")
    with two.lock("k"):
        two.set_aside_damaged("k")
        assert not nodes["three"].has("k")
        (aside,) = nodes.files.sizes("damaged")
        assert nodes.files.read(f"damaged/{aside}") == damage(content)
        outputs(two, "k", "anew")
        two.commit("k", Manifest(metrics={"validation/dice": 0.5}))
    for name in ("two", "three", "four"):
        assert nodes[name].artifact("k").file(WEIGHTS).read_text() == "weights.bin anew"
    assert nodes["one"].artifact("k").file(WEIGHTS).read_text() == "weights.bin weights"


def test_an_output_that_is_changed_at_the_uri_makes_its_stage_one_to_train(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "PAUSES", (0.01,))
    finish(nodes["one"], "k")
    attempt = read_json(nodes["one"].folder("k") / MANIFEST)["attempt"]
    nodes.files.write(f"outputs/k/{attempt}/{WEIGHTS}", b"weights.bin Weights")
    two = nodes["two"]
    artifact = two.artifact("k")
    with pytest.raises(Damaged, match=r"weights\.bin was changed since it was stored"):
        artifact.file(WEIGHTS)
    assert (two.has("k"), nodes["three"].has("k")) == (False, False)
    finish(two, "k", "anew")
    assert nodes["three"].artifact("k").file(WEIGHTS).read_text() == "weights.bin anew"


@pytest.mark.parametrize("name", ["../../../victim", "/tmp/victim", "a/../../../victim", "a\\..\\victim", "C:/victim"])
def test_a_manifest_that_names_files_outside_is_none(nodes: Nodes, name: str, tmp_path: Path) -> None:
    finish(nodes["one"], "k")
    manifest = read_json(nodes["one"].folder("k") / MANIFEST)
    for change in ({"files": {name: 4}}, {"attempt": name}, {"upstream": {"model": name}}):
        hostile = {**{of: value for of, value in manifest.items() if of not in ("digest", "digests", "key")}, **change}
        for content in (hostile, sealed({**hostile, "key": "k"})):  # without a seal, as before; and well sealed
            nodes.files.write("manifests/k.json", json.dumps(content).encode())
            before = sorted(tmp_path.rglob("*"))
            two = nodes["evil"]
            assert (two.has("k"), two.summaries(), list(two.artifacts())) == (False, {}, [])
            with pytest.raises(Damaged, match=r"names the (file|stage or attempt)"):
                two.artifact("k")
            left = [path for path in sorted(tmp_path.rglob("*")) if path not in before and "evil" not in path.parts]
            assert left == []


def test_keys_that_a_bucket_lists_are_names(nodes: Nodes) -> None:
    finish(nodes["one"], "k")
    for name in ("manifests/deep/x.json", "manifests/a.txt", "manifests/..x.json"):
        nodes.files.write(name, b"{}")
    assert nodes["two"].bucket is not None
    assert {artifact.key for artifact in nodes["two"].artifacts()} == {"k"}
    for key in ("../k", "a/b", "", "..", "/etc"):
        with pytest.raises(BadInput, match="stage key"):
            nodes["two"].artifact(key)


def test_a_file_that_was_torn_here_is_fetched_again(nodes: Nodes) -> None:
    finish(nodes["one"], "k")
    artifact = nodes["two"].artifact("k")
    artifact.file(WEIGHTS).write_text("weig")
    assert artifact.file(WEIGHTS).read_text() == "weights.bin weights"


def test_two_drivers_that_train_the_same_stage_spoil_nothing(nodes: Nodes) -> None:
    """The last manifest wins, and with it go its own outputs, even if the attempts differ in size."""
    one, two = nodes["one"], nodes["two"]
    with one.lock("k"), two.lock("k"):
        outputs(one, "k", "by the first")
        outputs(two, "k", "by the other one")
        two.commit("k", Manifest(metrics={}, node="by the other one"))
        between = nodes["three"].artifact("k")
        one.commit("k", Manifest(metrics={}, node="by the first"))
    assert between.file(WEIGHTS).read_text() == "weights.bin by the other one"
    after = nodes["four"].artifact("k")
    assert after.manifest.node == "by the first"
    assert after.file(WEIGHTS).read_text() == "weights.bin by the first"


def test_outputs_that_could_not_be_sent_are_sent_later_without_training(own: Buckets, tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, own.new())
    one = nodes["one"]
    with one.lock("k"):
        outputs(one, "k")
        own.stop()
        with pytest.raises(Unreachable, match=r"^s3://bucket-\S+/a/prefix: writing \S+ failed .*; check address"):
            one.commit("k", Manifest(metrics={}))
    assert not (one.folder("k") / MANIFEST).exists()
    own.start()
    assert not nodes["two"].has("k")
    with nodes["one"].lock("k"):
        assert one.has("k")
    assert nodes["two"].artifact("k").file(WEIGHTS).read_text() == "weights.bin weights"


def test_a_driver_is_told_at_once_of_a_place_that_cannot_be_written_to(buckets: Buckets, tmp_path: Path) -> None:
    store = Store(tmp_path / "stages", buckets.uri("no-such-bucket"))
    with pytest.raises(Unreachable, match="NO_SUCH_BUCKET"):
        store.share()
    with pytest.raises(BadInput, match="cannot be opened"):
        Store(tmp_path / "stages", "nonsense://x").share()
    assert Store(tmp_path / "stages").share() == 0


def test_an_unfinished_stage_is_no_artifact(nodes: Nodes) -> None:
    with pytest.raises(BadInput, match=r"stage k in .* has no readable manifest"):
        nodes["one"].artifact("k")
