"""The law of tracking: whenever, however often and with whatever losses a study was sent, MLflow shows the same."""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.records import parsed_line
from medsearch.stages.folders import supersede
from medsearch.study.record.ledger import PlannedRun
from medsearch.tracking import sender as sending
from medsearch.tracking.desired_runs import DesiredRun, Point
from medsearch.tracking.mirror import POINTS, Log, TrackedRun, operations
from medsearch.tracking.reading import Tail
from medsearch.tracking.sender import Sender
from tests.study.headers import search_header
from tests.tracking.pretended import PretendedServer
from tests.tracking.scene import Scene, nowhere, small_search
from tests.tracking.swept_scene import COLUMNS, ROWS, SweptScene

KEYS = ("k1", "k2", "k3")
RUNS = (("prefix", None, ""), ("trial", 0, ""), ("trial", 1, ""), ("reference", None, "No adaptation"))
ROUTES = ((), (("a", "k1"),), (("a", "k1"), ("b", "k2")), (("a", "k1"), ("b", "k3")), (("b", "k2"),))

STARTS = st.tuples(
    st.just("start"), st.sampled_from(RUNS), st.sampled_from(ROUTES), st.sampled_from(({"x": 1}, {"x": 2}))
)
ENDS = st.tuples(
    st.just("end"),
    st.sampled_from(RUNS),
    st.sampled_from(("complete", "cut", "failed")),
    st.sampled_from((None, 0.5, 0.25)),
)
EPOCHS = st.tuples(st.just("epoch"), st.sampled_from(KEYS))
COMMITS = st.tuples(st.just("commit"), st.sampled_from(KEYS))
ANEW = st.tuples(st.just("anew"), st.sampled_from(KEYS))
SYNCS = st.tuples(
    st.just("sync"),
    st.booleans(),  # by the same sender or a new one
    st.booleans(),  # while the driver lives or after it
    st.lists(st.sampled_from((None, None, None, "before", "amid", "after")), max_size=12),
)


def play(scene: Scene, step: Any, committed: set[str], epochs: dict[str, int]) -> None:
    """One step of a story, as the files tell it: no epoch after the commit of its stage."""
    kind, what, *rest = step
    if kind == "start":
        role, number, label = what
        scene.start(PlannedRun(role=role, number=number, label=label, seed=0, stages=rest[0], knobs=rest[1]))
    elif kind == "end":
        role, number, label = what
        run = PlannedRun(role=role, number=number, label=label, seed=0).run
        more = (
            {"rung": 3, "reason": "late"} if rest[0] == "cut" else {"cause": "Diverged"} if rest[0] == "failed" else {}
        )
        scene.end(run, rest[0], rest[1], **more)
    elif kind == "epoch" and what not in committed:
        epochs[what] = epochs.get(what, 0) + 1
        scene.epoch(what, epochs[what], {"train/loss": 1.0 / epochs[what]})
    elif kind == "commit" and what not in committed:
        committed.add(what)
        scene.commit(what, {"validation/dice": 0.5 + epochs.get(what, 0)}, {"p.png": what.encode()})
    elif kind == "anew" and what in committed:
        committed.discard(what)
        epochs.pop(what, None)
        supersede(scene.stages / what)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(STARTS, STARTS, ENDS, ENDS, EPOCHS, COMMITS, COMMITS, ANEW, SYNCS, SYNCS), max_size=30))
def test_sending_along_the_way_ends_as_sending_once(story: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene, committed, epochs = Scene(Path(folder)), set[str](), dict[str, int]()
        along, sender = PretendedServer(), None
        for step in story:
            if step[0] != "sync":
                play(scene, step, committed, epochs)
                continue
            _, same, live, trouble = step
            sender = sender if same and sender else Sender(scene.reader(), nowhere(), connect=lambda _: along)
            along.trouble = iter(trouble)
            sender.step(live=live, final=not live)
        along.trouble = iter(())
        assert not Sender(scene.reader(), nowhere(), connect=lambda _: along).finish().behind
        once = PretendedServer()
        assert not Sender(scene.reader(), nowhere("http://127.0.0.1:10"), connect=lambda _: once).finish().behind
        assert along.shown() == once.shown()


def test_what_is_trained_anew_replaces_what_was_sent(tmp_path: Path) -> None:
    """A trial and the stage that it shares: their runs are made anew, and hold nothing of what they were."""
    scene, server = Scene(tmp_path), PretendedServer()
    shared, own = PlannedRun(role="prefix", seed=0, stages=(("a", "k1"),)), (("a", "k1"), ("b", "k2"))
    trial = PlannedRun(role="trial", number=0, seed=0, stages=own, knobs={"x": 1})
    sender = Sender(scene.reader(), nowhere(), connect=lambda _: server)
    for commit, epochs in (("abc123", 3), ("fed321", 2)):
        for run, key in ((shared, "k1"), (trial, "k2")):
            scene.start(run)
            sender.step(live=True)
            if commit == "fed321":
                supersede(scene.stages / key)
            for number in range(1, epochs + 1):
                scene.epoch(key, number, {"train/loss": epochs / number})
                sender.step(live=True)
            scene.commit(key, {"validation/dice": float(epochs)}, commit=commit)
            scene.end(run.run, value=float(epochs))
            sender.step(live=True)
        shown = server.shown()
        assert shown["demo/trial-0000"]["tags"]["commit"] == commit
        assert shown["demo/trial-0000"]["value"] == {epochs}
        assert len([point for point in shown["demo/trial-0000"]["points"] if point.key == "b/train/loss"]) == epochs
        assert len([point for point in shown["demo/prefix-0"]["points"] if point.key == "a/train/loss"]) == epochs
    assert len(shown) == 3
    once = PretendedServer()
    Sender(scene.reader(), nowhere("http://127.0.0.1:10"), connect=lambda _: once).finish()
    assert not sender.finish().behind
    assert server.shown() == once.shown()


def small_ablation(scene: Scene) -> None:
    """Two rows and a reference in one column; one of its three cells fails, and the report is written."""
    made = SweptScene(scene, columns=COLUMNS[:1], seeds=(0,), rows={label: ROWS[label] for label in list(ROWS)[1:]})
    made.begin()
    made.run(fail=("Proposed", COLUMNS[0], 0))
    made.report()


@pytest.mark.parametrize("write", [small_search, small_ablation])
@pytest.mark.parametrize("how", ["before", "amid", "after", "late"])
def test_any_lost_answer_is_made_good_by_the_same_sender(
    how: str, write: Callable[[Scene], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PAUSE_S", 0.0)
    scene, once = Scene(tmp_path), PretendedServer()
    write(scene)
    Sender(scene.reader(), nowhere(), connect=lambda _: once).finish()
    for at in range(once.operations):
        server = PretendedServer()
        server.trouble = itertools.chain(itertools.repeat(None, at), [how])
        sender = Sender(scene.reader(), nowhere(f"http://127.0.0.1:{10 + at}"), connect=lambda _, to=server: to)
        assert not sender.finish().behind
        assert server.shown() == once.shown()
        assert server.experiment == once.experiment


def test_sending_again_does_nothing(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    first = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert (first.runs, first.created, first.behind) == (6, 7, False)
    done = server.operations
    again = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert (again.created, again.points, again.files, server.operations) == (0, 0, 0, done)


def test_without_receipts_only_files_go_out_again(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    shown, done = server.shown(), server.operations
    for file in (scene.folder / "tracking").iterdir():
        file.unlink()
    again = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert (again.files, server.operations - done) == (6, 6)  # three pictures, whole and small
    assert server.shown() == shown


def test_a_step_costs_only_what_is_new(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    sender = Sender(scene.reader(), nowhere(), connect=lambda _: server)
    sender.step(live=True)
    done = server.operations
    sender.step(live=True)
    assert server.operations == done
    scene.epoch("k-segmentation-3", 3, {"train/dice": 0.1})
    sender.step(live=True)
    assert server.operations == done + 1


def test_a_run_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    class Fussy(PretendedServer):
        def log(self, run: str, batch: Log) -> None:
            if "segmentation.weights.rec" in batch.params and batch.params["segmentation.weights.rec"] == "10.0":
                msg = "no such number here"
                raise ValueError(msg)
            super().log(run, batch)

    scene, server = Scene(tmp_path), Fussy()
    small_search(scene)
    sender = Sender(scene.reader(), nowhere(), connect=lambda _: server)
    problem = sender.step(live=False, final=True)
    assert problem == "trial-0001: ValueError: no such number here"
    assert sender.report().behind
    assert server.shown()["demo/trial-0002"]["status"] == "FAILED"


def test_senders_that_take_turns_see_each_other(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    one, other = (Sender(scene.reader(), nowhere(), connect=lambda _: server) for _ in range(2))
    for turn, sender in enumerate([one, other, one, other]):
        scene.start(PlannedRun(role="trial", number=10 + turn, seed=0))
        assert sender.step(live=True) is None
        assert len(server.shown()) == 8 + turn


def test_who_is_running_is_interrupted_when_nobody_drives(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    follower, other = (Sender(scene.reader(), nowhere(), connect=lambda _: server) for _ in range(2))

    def statuses() -> list[str]:
        return [server.shown()[f"demo/{run}"]["status"] for run in ("search", "trial-0003", "trial-0000")]

    follower.step(live=True)
    assert statuses() == ["RUNNING", "RUNNING", "FINISHED"]
    other.step(live=False)
    assert statuses() == ["KILLED", "KILLED", "FINISHED"]
    scene.epoch("k-segmentation-1", 3, {"train/dice": 0.1})
    follower.step(live=True)
    assert statuses() == ["RUNNING", "RUNNING", "FINISHED"]
    follower.step(live=False)
    assert statuses() == ["KILLED", "KILLED", "FINISHED"]


def test_what_could_not_be_said_once_is_said_later(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    scene.start(trial())
    scene.end("trial-0000", value=0.5)
    sender = Sender(scene.reader(), nowhere(), connect=lambda _: server)
    sender.step(live=True)
    server.trouble = iter(["before"])
    assert sender.step(live=False) == "Lost: no message"
    assert sender.step(live=False) is None
    assert server.shown()["demo/search"]["status"] == "FINISHED"


def test_a_run_that_ends_again_has_its_last_value(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    for value in (0.5, None, 0.25):
        scene.start(trial(knobs={"x": 1}))
        scene.end("trial-0000", "failed" if value is None else "complete", value)
        assert sent(scene, server)["demo/trial-0000"]["value"] == (set() if value is None else {value})


def test_only_one_sends_at_a_time(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    one, other = (Sender(scene.reader(), nowhere(), connect=lambda _: server) for _ in range(2))
    with one.receipts.sole_sender():
        assert other.step(live=True) == "another sender is at work"
    assert server.operations == 0
    assert other.step(live=True) is None


def trial(*stages: tuple[str, str], **more: Any) -> PlannedRun:
    return PlannedRun(role="trial", number=0, seed=0, stages=stages, **more)


def sent(scene: Scene, server: PretendedServer) -> dict[str, Any]:
    assert not Sender(scene.reader(), nowhere(), connect=lambda _: server).finish().behind
    return server.shown()


def test_a_run_started_again_with_another_stage_shows_only_that_one(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    scene.start(trial(("fit", "k1")))
    scene.epoch("k1", 1, {"train/dice": 0.1})
    sent(scene, server)
    scene.start(trial(("fit", "k2")))
    scene.epoch("k2", 1, {"train/dice": 0.2})
    run = sent(scene, server)["demo/trial-0000"]
    assert {point.value for point in run["points"]} == {0.2}
    assert run["tags"]["stage.fit"] == "k2"


def test_tags_that_are_no_longer_true_go(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    scene.start(trial())
    scene.end("trial-0000", "failed", reason="out of memory", cause="oom")
    assert sent(scene, server)["demo/trial-0000"]["tags"]["cause"] == "oom"
    scene.start(trial())
    tags = sent(scene, server)["demo/trial-0000"]["tags"]
    assert tags["state"] == "running"
    assert not {"reason", "cause"} & set(tags)


def test_a_stage_shared_by_trials_alone_is_shown_in_each(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    scene.start(trial(("fit", "k1")))
    scene.start(PlannedRun(role="replicate", number=0, seed=0, stages=(("fit", "k1"), ("test", "k2"))))
    scene.epoch("k1", 1, {"train/dice": 0.1})
    shown = sent(scene, server)
    assert len(shown["demo/trial-0000"]["points"]) == len(shown["demo/replicate-0000-seed-0"]["points"]) == 1


def test_an_epoch_trained_again_keeps_its_first_record(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    scene.start(trial(("fit", "k1")))
    for number, value in ((1, 0.1), (2, 0.2), (2, 0.9), (3, 0.3)):
        scene.epoch("k1", number, {"train/dice": value})
    points = sent(scene, server)["demo/trial-0000"]["points"]
    assert sorted((point.step, point.value) for point in points) == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_finalists_are_marked(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    scene.describe(search_header(name="demo", task={"source": "t1", "target": "t2"}, scale="tiny", chosen=(1,)))
    shown = sent(scene, server)
    assert [run for run, face in shown.items() if "finalist" in face["tags"]] == ["demo/trial-0001"]
    assert {(face["tags"]["task"], face["tags"]["scale"]) for face in shown.values()} == {("t1 to t2", "tiny")}


def test_a_tail_gives_every_line_once(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    tail = Tail(path, parsed_line)
    assert tail.new() == []
    seen = []
    for piece in ('{"a":1}\n{"a"', ":2}", "\n", '{"a":3}\n{"a":to', 'rn\n{"a":4}', '\n{"a":5}\n'):
        with path.open("a") as file:
            file.write(piece)
        seen.append([line["a"] for line in tail.new()])
    assert seen == [[1], [2], [], [3], [4], [5]]
    path.write_text('{"a":6}\n')
    assert [line["a"] for line in tail.new()] == [6]


def test_batches_keep_to_the_limits_and_count_what_they_complete() -> None:
    entries = tuple(tuple(Point(f"m{i}", 0.5, 1000 * step, step) for i in range(400)) for step in range(7))
    huge = (tuple(Point(f"n{i}", 0.5, 1, 1) for i in range(2 * POINTS + 1)),)
    wanted = DesiredRun(
        run="trial-0000",
        name="n",
        started=1,
        status="RUNNING",
        ended=None,
        tags={"medsearch.knobs": "f"},
        params={f"p{i}": "1" for i in range(120)},
        series={"a": entries, "b": huge},
    )
    logs = [step for step in operations(wanted, None, parent="up") if isinstance(step, Log)]
    assert all(len(log.points) <= 1000 and len(log.params) <= 100 for log in logs)
    assert {point for log in logs for point in log.points} == {point for entry in entries + huge for point in entry}
    seen: set[Point] = set()
    for log in logs:
        seen |= set(log.points)
        counted = TrackedRun(id="", status="", tags=log.tags).sent
        assert seen.issuperset(point for entry in entries[: counted.get("a", 0)] for point in entry)
        assert counted.get("b", 0) == 0 or seen.issuperset(huge[0])
    assert counted == {"a": 7, "b": 1}
