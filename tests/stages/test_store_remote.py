"""Nodes that share nothing but a URI: each has a root of its own and, as its own process would, its own view of it."""

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsearch.core import remote as remote_module
from medsearch.core.errors import BadInput
from medsearch.core.records import read_json, write_json
from medsearch.core.remote import Remote, Unreachable
from medsearch.data.prepared import PreparedCohort
from medsearch.stages import bucket as bucket_module
from medsearch.stages import mirror
from medsearch.stages.bucket import bucket_at
from medsearch.stages.context import Runtime, StageContext
from medsearch.stages.execution import Bench, run_stage
from medsearch.stages.outputs import THINNED
from medsearch.stages.stage import Epoch, Training
from medsearch.stages.store import JOURNAL, MANIFEST, Store
from tests.bucket import Buckets
from tests.micro import drained
from tests.stages.toy import Counter, Counting, run_of

WEIGHTS, VOLUME, PICTURE, TILE, FACTS = (
    "weights.bin",
    "deep/volume.npy",
    "pictures/one.png",
    "tiles/a.npz",
    "facts.json",
)


@pytest.fixture(params=["bucket", "folder"])
def uri(request: pytest.FixtureRequest, buckets: Buckets, tmp_path: Path) -> str:
    return buckets.new() if request.param == "bucket" else (tmp_path / "remote").as_uri()


class Nodes:
    """Stores on one URI; what one process would know of it is forgotten from one to the next."""

    def __init__(self, tmp_path: Path, uri: str) -> None:
        self.tmp_path, self.uri = tmp_path, uri
        self.files = Remote(uri)

    def __getitem__(self, name: str) -> Store:
        bucket_at.cache_clear()
        return Store(self.tmp_path / name / "stages", self.uri)


@pytest.fixture
def nodes(tmp_path: Path, uri: str) -> Iterator[Nodes]:
    yield Nodes(tmp_path, uri)
    bucket_at.cache_clear()


def outputs(store: Store, key: str, text: str = "weights") -> None:
    aside = store.aside(key)
    for name in (WEIGHTS, VOLUME, PICTURE, TILE, FACTS):
        (aside / name).parent.mkdir(exist_ok=True)
        (aside / name).write_text(f"{name} {text}")


def finish(store: Store, key: str, text: str = "weights") -> None:
    with store.lock(key):
        store.record(key, Epoch(1, {"x": 0.5}), seconds=1.0, time=5.0)
        outputs(store, key, text)
        store.commit(key, {"metrics": {"validation/dice": 0.5}, "text": text})


def here(store: Store, key: str) -> set[str]:
    folder = store.folder(key)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(".") and name != "lock"}


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
    assert artifact.manifest["files"][WEIGHTS] == len("weights.bin weights")
    assert set(artifact.manifest["files"]) == {JOURNAL, PICTURE, TILE, FACTS, WEIGHTS, VOLUME}


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
        assert {key: manifest["text"] for key, manifest in known.items()} == {
            key: key for key in ("a", "b", "both", "c")
        }
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
    manifest.pop("files")  # as before manifests listed them
    (local.folder("old") / MANIFEST).write_text(json.dumps(manifest))
    assert (one.has("old"), one.whole("thin"), nodes["two"].has("old")) == (True, False, False)
    assert (nodes["one"].share(), nodes["one"].share()) == (1, 0)
    artifact = nodes["two"].artifact("old")
    assert artifact.file(VOLUME).read_text() == "deep/volume.npy weights"
    assert {**artifact.manifest, "attempt": "", "files": {}} == {**manifest, "attempt": "", "files": {}}
    assert not nodes["two"].has("thin")


KILLED = """
import os, signal, sys
from pathlib import Path
from medsearch.core.remote import Remote
from tests.stages.test_store_remote import finish
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
import medsearch.stages.bucket as bucket, medsearch.stages.mirror as mirror
bucket.each = lambda of, items: [of(item) for item in items]
mirror.EVERY_S = 100
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
            one.commit("k", {"metrics": {}})
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
    with pytest.raises(Unreachable, match=r"it has 4 bytes, 19 were stored"):
        artifact.file(WEIGHTS)
    with pytest.raises(Unreachable, match=r"volume.npy is not there any more; remove .* and run again"):
        artifact.file(VOLUME)
    assert here(other, "k") == {MANIFEST, JOURNAL, PICTURE, TILE, FACTS}


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
        two.commit("k", {"metrics": {}, "text": "by the other one"})
        between = nodes["three"].artifact("k")
        one.commit("k", {"metrics": {}, "text": "by the first"})
    assert between.file(WEIGHTS).read_text() == "weights.bin by the other one"
    after = nodes["four"].artifact("k")
    assert after.manifest["text"] == "by the first"
    assert after.file(WEIGHTS).read_text() == "weights.bin by the first"


# ---- running stages


def step(store: Store, key: str, epoch: int) -> None:
    """What a stage does in an epoch: it saves its state, then its epoch is recorded."""
    checkpoint = store.folder(key) / "checkpoint"
    checkpoint.mkdir(exist_ok=True)
    (store.folder(key) / "memory.json").write_text(f"note of epoch {epoch}")
    aside = checkpoint / ".state"
    aside.write_text(str(epoch))
    aside.replace(checkpoint / "state")
    store.record(key, Epoch(epoch, {"x": float(epoch)}), seconds=1.0, time=float(epoch))


def state(store: Store, key: str) -> int:
    path = store.folder(key) / "checkpoint" / "state"
    return int(path.read_text()) if path.exists() else 0


def epochs(store: Store, key: str) -> list[int]:
    return [line["epoch"] for line in store.journal(key)]


def test_a_stage_that_was_stopped_goes_on_on_another_node(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    with one.lock("k"):
        step(one, "k", 1)
        step(one, "k", 2)
    assert epochs(nodes["watching"], "k") == [1, 2]
    with two.lock("k"):
        assert (state(two, "k"), epochs(two, "k")) == (2, [1, 2])
        assert (two.folder("k") / "memory.json").read_text() == "note of epoch 2"
        step(two, "k", 3)
    with nodes["one"].lock("k"):  # it has a checkpoint of its own, which is older
        assert (state(one, "k"), epochs(one, "k")) == (3, [1, 2, 3])
        outputs(one, "k")
        one.commit("k", {"metrics": {}})
    assert nodes.files.sizes("checkpoints") == nodes.files.sizes("running") == {}
    assert epochs(nodes["watching"], "k") == [1, 2, 3]


def test_a_node_that_nobody_has_overtaken_keeps_its_own_newer_checkpoint(nodes: Nodes) -> None:
    one = nodes["one"]
    with one.lock("k"):
        step(one, "k", 1)
    step(one, "k", 2)  # as if it had been killed before this was sent
    with nodes["one"].lock("k"):
        assert state(one, "k") == 2
    assert len(nodes.files.sizes("checkpoints/k")) == 1


def test_a_checkpoint_whose_upload_was_cut_short_is_passed_over(nodes: Nodes) -> None:
    one = nodes["one"]
    with one.lock("k"):
        step(one, "k", 1)
    nodes.files.write("checkpoints/k/000002-9999.tar", b"torn")
    with nodes["two"].lock("k"):
        assert state(nodes["two"], "k") == 1


RUNNING = """
import sys, time
from pathlib import Path
from tests.stages.test_store_remote import step
from medsearch.stages import mirror
from medsearch.stages.store import Store

mirror.EVERY_S = 0.3
store = Store(Path(sys.argv[1]), sys.argv[2])
with store.lock("k"):
    for epoch in range(1, 1000):
        step(store, "k", epoch)
        time.sleep(0.1)
"""


@pytest.mark.slow
def test_a_killed_node_loses_little(nodes: Nodes) -> None:
    root = nodes["one"].root
    process = subprocess.Popen([sys.executable, "-c", RUNNING, str(root), nodes.uri], cwd=Path(__file__).parents[1])
    until = time.monotonic() + 60
    while state(nodes["one"], "k") < 15 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = state(nodes["one"], "k")
    two = nodes["two"]
    with two.lock("k"):
        assert 0 < state(two, "k") <= reached
        assert state(two, "k") >= reached - 12  # 0.3 s between looks, 0.1 s an epoch, and a slow machine
        assert epochs(two, "k")[: state(two, "k")] == list(range(1, state(two, "k") + 1))


class Slow(Counter):
    """Takes its time, so that it can be killed in the middle."""

    def train(self, context: StageContext) -> Training:
        counting = super().train(context)
        while True:
            time.sleep(0.05)
            try:
                yield next(counting)
            except StopIteration as end:
                return end.value


TRAINING = run_of(Slow(recipe=Counting(epochs=40)), seed=4)


def subjects_only(folder: Path) -> PreparedCohort:
    """All that the counting stage reads of a cohort."""
    case = {"box": [[0, 4]] * 3, "presence": [True, True], "annotated": True, "statistics": {}}
    cases = [{"subject": f"case-{number}", **case} for number in range(12)]
    write_json(folder / "cases.json", {"contrasts": ["t1", "t2"], "cases": cases})
    return PreparedCohort(folder)


TRAINED = """
import sys
from pathlib import Path
from medsearch.data.prepared import PreparedCohort
from medsearch.stages import mirror
from medsearch.stages.execution import Bench, run_stage
from medsearch.stages.context import Runtime
from medsearch.stages.store import Store
from tests.stages.test_store_remote import TRAINING

mirror.EVERY_S = 0.2
bench = Bench(Store(Path(sys.argv[1]), sys.argv[2]), PreparedCohort(Path(sys.argv[3])), Runtime())
for _ in run_stage(bench, TRAINING):
    pass
"""


@pytest.mark.slow
def test_a_stage_whose_node_is_killed_ends_on_another_as_if_nothing_had_been(nodes: Nodes) -> None:
    cohort = subjects_only(nodes.tmp_path / "prepared")
    command = [sys.executable, "-c", TRAINED, str(nodes["one"].root), nodes.uri, str(cohort.directory)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    until = time.monotonic() + 60
    while not nodes.files.sizes("checkpoints") or len(nodes["one"].journal(TRAINING.key)) < 10:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    two = nodes["two"]
    epochs_here, artifact = drained(run_stage(Bench(two, cohort, Runtime()), TRAINING))
    assert 0 < len(epochs_here) < 40  # the rest came with the checkpoint
    assert epochs(two, TRAINING.key) == list(range(1, 41))
    assert (artifact.metrics, artifact.manifest["epochs"]) == ({"last": 40.0}, 40)
    assert nodes["three"].artifact(TRAINING.key).file("result.json").read_text() == '{"seed": 4}'
    assert drained(run_stage(Bench(nodes["three"], cohort, Runtime()), TRAINING))[0] == []


# ---- the URI does not answer


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    monkeypatch.setattr(remote_module, "PAUSES", ())
    serving = Buckets()
    yield serving
    serving.stop()
    bucket_at.cache_clear()


def test_outputs_that_could_not_be_sent_are_sent_later_without_training(own: Buckets, tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, own.new())
    one = nodes["one"]
    with one.lock("k"):
        outputs(one, "k")
        own.stop()
        with pytest.raises(Unreachable, match=r"^s3://bucket-\S+/a/prefix: writing \S+ failed .*; check address"):
            one.commit("k", {"metrics": {}})
    assert not (one.folder("k") / MANIFEST).exists()
    own.start()
    assert not nodes["two"].has("k")
    with nodes["one"].lock("k"):
        assert one.has("k")
    assert nodes["two"].artifact("k").file(WEIGHTS).read_text() == "weights.bin weights"


def test_training_goes_on_while_the_uri_does_not_answer_and_one_line_says_so(
    own: Buckets, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "EVERY_S", 0.05)
    nodes = Nodes(tmp_path, own.new())
    one = nodes["one"]
    with caplog.at_level(logging.WARNING), one.lock("k"):
        own.stop()
        step(one, "k", 1)
        until = time.monotonic() + 30
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.05)
        step(one, "k", 2)
        own.start()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].startswith("stage k goes on, but its checkpoint is on this node alone: s3://bucket-")
    with nodes["two"].lock("k"):
        assert state(nodes["two"], "k") == 2


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
