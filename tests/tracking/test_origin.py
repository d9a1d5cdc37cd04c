"""Whose runs a study's are: the same ones whatever was lost of its files, and never another home's."""

import json
import shutil
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import Damaged
from medsearch.study.record.ledger import LEDGER
from medsearch.tracking.origin import HOME, home_id, origin_of, stored_home_id
from medsearch.tracking.sender import Sender
from tests.study.headers import started
from tests.tracking.pretended import PretendedServer
from tests.tracking.scene import Scene, nowhere, small_search

FIRST = started(run="prefix-0", time=1.0)


def ledger_lost(scene: Scene) -> None:
    (scene.folder / LEDGER).unlink()


def ledger_and_receipts_lost(scene: Scene) -> None:
    (scene.folder / LEDGER).unlink()
    shutil.rmtree(scene.folder / "tracking")


def folder_lost(scene: Scene) -> None:
    shutil.rmtree(scene.folder)


def every_folder_lost(scene: Scene) -> None:
    shutil.rmtree(scene.folder.parent)
    (scene.home / HOME).unlink()


LOSSES = (ledger_lost, ledger_and_receipts_lost, folder_lost, every_folder_lost)


def lose_and_run_again(scene: Scene, lose: Callable[[Scene], None]) -> None:
    """The stages are all there still, so the same command records every run once more, at another time."""
    events = [json.loads(line) for line in (scene.folder / LEDGER).read_text().splitlines()]
    header = (scene.folder / "study.json").read_text()
    lose(scene)
    scene.folder.mkdir(parents=True, exist_ok=True)
    (scene.folder / "study.json").write_text(header)
    later = ({**event, "time": event["time"] + 86_400} for event in events)
    (scene.folder / LEDGER).write_text("".join(json.dumps(event) + "\n" for event in later))


def sent(scene: Scene, server: PretendedServer) -> Any:
    report = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert not report.behind, report
    return report


def ids(server: PretendedServer) -> dict[str, str]:
    """Of the runs that a user sees, by name; `shown` fails when one is there twice."""
    assert server.shown()
    return {run.tags["medsearch.run"]: id for id, run in server.runs.items() if not run.deleted}


@pytest.mark.parametrize("lose", LOSSES)
def test_what_is_lost_of_a_study_doubles_no_run(lose: Callable[[Scene], None], tmp_path: Path) -> None:
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    assert sent(scene, server).created == 7
    before, points = ids(server), {name: run["points"] for name, run in server.shown().items()}
    lose_and_run_again(scene, lose)
    again = sent(scene, server)
    assert (again.created, again.points) == (0, 0)
    assert ids(server) == before
    assert {name: run["points"] for name, run in server.shown().items()} == points


def test_a_loss_while_runs_are_still_to_come_goes_on_in_the_same_runs(tmp_path: Path) -> None:
    """The ledger is lost and written anew while a sender is at work."""
    scene, server = Scene(tmp_path), PretendedServer()
    small_search(scene)
    follower = Sender(scene.reader(), nowhere(), connect=lambda _: server)
    assert follower.step(live=True) is None
    before = ids(server)
    lose_and_run_again(scene, ledger_lost)
    scene.epoch("k-segmentation-3", 3, {"train/dice": 0.2})
    scene.end("trial-0003", value=0.9)
    assert follower.step(live=True) is None
    sent(scene, server)
    assert ids(server) == before
    assert server.shown()["demo/trial-0003"]["value"] == {0.9}


@pytest.mark.parametrize("lose", LOSSES)
def test_two_homes_are_never_one_whatever_they_lose(lose: Callable[[Scene], None], tmp_path: Path) -> None:
    """The same study with the same stages, of two people on one server."""
    server, scenes = PretendedServer(), [Scene(tmp_path / name) for name in ("one", "other")]
    for scene in scenes:
        small_search(scene)
        assert sent_to(scene, server) == 7
    for scene in scenes:
        lose_and_run_again(scene, lose)
        assert sent_to(scene, server) == 0
    origins = [run.tags["medsearch.origin"] for run in server.runs.values() if not run.deleted]
    assert sorted(map(origins.count, set(origins))) == [7, 7]


def sent_to(scene: Scene, server: PretendedServer) -> int:
    report = Sender(scene.reader(), nowhere(), connect=lambda _: server).finish()
    assert not report.behind, report
    return report.created


def test_a_home_that_was_moved_keeps_its_runs(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path / "here"), PretendedServer()
    small_search(scene)
    sent(scene, server)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = Scene(tmp_path / "there")
    lose_and_run_again(moved, folder_lost)
    assert sent(moved, server).created == 0


def test_a_studys_folder_that_was_moved_to_another_home_keeps_its_runs(tmp_path: Path) -> None:
    scene, server = Scene(tmp_path / "here"), PretendedServer()
    small_search(scene)
    sent(scene, server)
    shutil.move(scene.stages, tmp_path / "there" / "stages")
    shutil.move(scene.folder, tmp_path / "there" / "studies" / "demo")
    assert sent(Scene(tmp_path / "there"), server).created == 0


def test_a_study_sent_by_an_earlier_release_keeps_its_origin(tmp_path: Path) -> None:
    """That took the ledger's first event for it, and wrote receipts without one."""
    scene = Scene(tmp_path)
    small_search(scene)
    fresh = origin_of(scene.folder, FIRST)
    receipts = scene.folder / "tracking" / "0f.json"
    receipts.parent.mkdir()
    receipts.write_text(json.dumps({"files": {}}))
    assert origin_of(scene.folder, FIRST) == "64948a7e3c831de7" != fresh
    receipts.write_text(json.dumps({"files": {}, "origin": "abc"}))
    assert origin_of(scene.folder, FIRST) == "abc"


BROKEN = pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id"', b"{}", b"7", b"\xff\xfe", b'{"id": 3}'])


@BROKEN
def test_a_damaged_home_file_is_set_aside_and_said(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = home_id(tmp_path)
    assert home_id(tmp_path) == first == stored_home_id(tmp_path)
    (tmp_path / HOME).write_bytes(content)
    with pytest.raises(Damaged, match=r"home.json .*; bring it back from a copy; else .* as new runs"):
        stored_home_id(tmp_path)
    assert home_id(tmp_path) == first == stored_home_id(tmp_path)
    (aside,) = tmp_path.glob(f"{HOME}.damaged-*")
    assert aside.read_bytes() == content
    assert f"it is {aside.name} now: the home's id is made of this machine" in caplog.text
    assert not list(tmp_path.glob(f".{HOME}.*[!k]")), "only the lock is left"


def test_an_id_that_was_edited_is_damaged_and_one_without_a_seal_is_of_an_earlier_release(tmp_path: Path) -> None:
    made = home_id(tmp_path)
    text = (tmp_path / HOME).read_text()
    (tmp_path / HOME).write_text(text.replace(made, "0123456789abcdef"))
    assert home_id(tmp_path) == made
    (tmp_path / HOME).write_text('{"id": "0123456789abcdef"}')
    assert home_id(tmp_path) == "0123456789abcdef"


@BROKEN
def test_a_damaged_receipt_counts_as_none(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "studies" / "demo"
    (folder / "tracking").mkdir(parents=True)
    plain = origin_of(folder, FIRST)
    (folder / "tracking" / "0f.json").write_bytes(content)
    assert origin_of(folder, FIRST) == plain


@pytest.mark.parametrize("damaged", [False, True])
def test_nodes_that_give_a_home_its_id_at_once_agree(
    damaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: threading.current_thread().name)
    nodes = 8
    for attempt in range(5):
        home, start = tmp_path / str(attempt), threading.Barrier(nodes)
        home.mkdir()
        if damaged:
            (home / HOME).write_text("{")

        def ask(_: int, home: Path = home, start: threading.Barrier = start) -> str:
            start.wait()
            return home_id(home)

        with ThreadPoolExecutor(nodes) as pool:
            found = set(pool.map(ask, range(nodes)))
        assert found == {stored_home_id(home)}
        assert len(list(home.glob(f"{HOME}.damaged-*"))) == damaged


def test_a_machine_without_a_network_card_makes_the_same_id_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the home's file is lost, or cannot be written."""
    made = set()
    for drawn in (0x01_02_03_04_05_06, 0x03_FF_03_04_05_06):
        monkeypatch.setattr(uuid, "getnode", lambda drawn=drawn: drawn)
        made.add(home_id(tmp_path))
        (tmp_path / HOME).unlink()
    assert len(made) == 1
    monkeypatch.setattr(uuid, "getnode", lambda: 0x02_02_03_04_05_06)
    assert home_id(tmp_path) not in made


def test_studies_of_one_home_have_origins_of_their_own(tmp_path: Path) -> None:
    folders = [tmp_path / "studies" / name for name in ("a", "b")]
    assert len({origin_of(folder, FIRST) for folder in folders}) == 2
