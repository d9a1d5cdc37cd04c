"""A running stage on nodes that share nothing but a URI: who goes on finds the newest checkpoint, whoever sent it."""

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.core.paths import set_aside
from medsearch.core.records import write_json
from medsearch.stages import bucket
from medsearch.stages.context import Runtime, StageContext
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Epoch, Training
from medsearch.stages.store import Store
from medsearch.training.checkpoints import load_tensors, save_tensors
from tests.bucket import Buckets
from tests.micro import drained
from tests.stages.nodes import Nodes, outputs
from tests.stages.toy import Counter, Counting, run_of


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
        one.commit("k", Manifest(metrics={}))
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


@pytest.mark.parametrize("found", ["by the lock", "by a training"])
def test_where_the_checkpoint_here_is_damaged_the_one_at_the_uri_is_taken(nodes: Nodes, found: str) -> None:
    one = nodes["one"]
    folder = one.folder("k") / "checkpoint"
    path = folder / "state.safetensors"
    with one.lock("k"):
        save_tensors(path, {"a": torch.ones(3)}, {"epoch": 2})
        step(one, "k", 2)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    if found != "by the lock":
        set_aside(path)
    with nodes["one"].lock("k"):
        tensors, said = load_tensors(path)
        assert (said, tensors["a"].tolist()) == ({"epoch": 2}, [1.0, 1.0, 1.0])
        assert sorted(entry.name for entry in folder.iterdir()) == ["state", "state.safetensors"]


def test_a_checkpoint_that_was_begun_anew_after_damage_is_gone_on_with(nodes: Nodes) -> None:
    """And what was set aside is neither sent nor taken for a part of it."""
    one = nodes["one"]
    path = one.folder("k") / "checkpoint" / "state.safetensors"
    with one.lock("k"):
        save_tensors(path, {}, {"epoch": 9})
        set_aside(path)
        save_tensors(path, {}, {"epoch": 1})
        step(one, "k", 1)
    with nodes["one"].lock("k"):
        assert load_tensors(path)[1] == {"epoch": 1}
    two = nodes["two"]
    with two.lock("k"):
        assert load_tensors(two.folder("k") / "checkpoint" / "state.safetensors")[1] == {"epoch": 1}
        assert sorted(entry.name for entry in (two.folder("k") / "checkpoint").iterdir()) == [
            "state",
            "state.safetensors",
        ]


RUNNING = """
import sys, time
from pathlib import Path
from tests.stages.test_bucket import step
from medsearch.stages import bucket
from medsearch.stages.store import Store

bucket.EVERY_S = 0.3
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


def subjects_only(folder: Path) -> PreparedVolumes:
    """All that the counting stage reads of a cohort."""
    case = {"box": [[0, 4]] * 3, "presence": [True, True], "annotated": True, "statistics": {}}
    cases = [{"subject": f"case-{number}", **case} for number in range(12)]
    write_json(folder / "cases.json", {"contrasts": ["t1", "t2"], "cases": cases})
    return PreparedVolumes(folder)


TRAINED = """
import sys
from pathlib import Path
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.stages import bucket
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.context import Runtime
from medsearch.stages.store import Store
from tests.stages.test_bucket import TRAINING

bucket.EVERY_S = 0.2
executor = StageExecutor(Store(Path(sys.argv[1]), sys.argv[2]), PreparedVolumes(Path(sys.argv[3])), Runtime())
for _ in run_stage(executor, TRAINING):
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
    epochs_here, artifact = drained(run_stage(StageExecutor(two, cohort, Runtime()), TRAINING))
    assert 0 < len(epochs_here) < 40  # the rest came with the checkpoint
    assert epochs(two, TRAINING.key) == list(range(1, 41))
    assert (artifact.metrics, artifact.manifest.epochs) == ({"last": 40.0}, 40)
    assert nodes["three"].artifact(TRAINING.key).file("result.json").read_text() == '{"seed": 4}'
    assert drained(run_stage(StageExecutor(nodes["three"], cohort, Runtime()), TRAINING))[0] == []


def test_training_goes_on_while_the_uri_does_not_answer_and_one_line_says_so(
    own: Buckets, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "EVERY_S", 0.05)
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
