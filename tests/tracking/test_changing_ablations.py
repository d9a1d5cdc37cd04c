"""Ablations whose header changes: rows come, go and move, nuisance knobs are retuned, drivers die."""

from pathlib import Path
from typing import Any

import pytest

from medsearch.study.record.headers import AblationHeader, Candidate, Cell
from medsearch.study.record.ledger import Ledger, stage_name
from medsearch.tracking.ablation_runs import row_run_name
from medsearch.tracking.sender import Sender
from tests.tracking.pretended import PretendedServer
from tests.tracking.scene import Scene, nowhere
from tests.tracking.swept_scene import COLUMNS, REFERENCE, ROWS, SweptScene, key_of


@pytest.fixture
def made(tmp_path: Path) -> SweptScene:
    scene = SweptScene(Scene(tmp_path, "table"), columns=COLUMNS[:1], seeds=(0,))
    scene.begin()
    return scene


def sent(made: SweptScene, server: PretendedServer, *, live: bool = False) -> dict[str, Any]:
    """What a new sender makes the server show, by the runs' names."""
    sender = Sender(made.scene.reader(), nowhere(), connect=lambda _: server)
    assert sender.step(live=live, final=True) is None
    return {name.partition("/")[2]: face for name, face in server.shown().items()}


def stage(shown: dict[str, Any], node: str, *parts: Any) -> dict[str, Any]:
    return dict(shown[stage_name(node, key_of(node, *parts))])


def candidate(number: int, *, column: str = COLUMNS[0], key: str, **more: Any) -> Candidate:
    stages = (("segmentation", key),)
    return Candidate(row="Proposed", column=column, number=number, stages=stages, **{"knobs": {}, **more})


def test_a_row_that_goes_leaves_its_stage_runs_behind(made: SweptScene) -> None:
    server = PretendedServer()
    made.run(fail=None)
    assert stage(sent(made, server), "translation", "aware", COLUMNS[0], 0)["parent"] == "table/shared"
    del made.rows["w/o ST"]
    made.begin()
    shown = sent(made, server)
    assert stage(shown, "test", "w/o ST", COLUMNS[0], 0)["parent"] == "table/dropped"
    assert stage(shown, "test", "w/o ST", COLUMNS[0], 0)["tags"]["role"] == "dropped stage"
    moved = stage(shown, "translation", "aware", COLUMNS[0], 0)
    assert (moved["parent"], moved["tags"]["variant"]) == (f"table/{row_run_name('Proposed')}", "Proposed")
    assert shown["dropped"]["name"] == "no longer asked for"
    assert not {row_run_name("w/o ST"), "shared"} & set(shown), "no row that the table has not, no group without runs"
    made.rows = dict(ROWS)
    made.begin()
    shown = sent(made, server)
    assert shown[row_run_name("w/o ST")]["status"] == "FINISHED"
    assert "dropped" not in shown


def test_a_row_that_comes_shares_what_is_there(made: SweptScene) -> None:
    server = PretendedServer()
    del made.rows["w/o ST"]
    made.begin()
    made.run(fail=None)
    parent = stage(sent(made, server), "segmentation", "aware", COLUMNS[0], 0)["parent"]
    assert parent == f"table/{row_run_name('Proposed')}"
    made.rows = dict(ROWS)
    made.begin()
    shown = sent(made, server, live=True)
    assert stage(shown, "segmentation", "aware", COLUMNS[0], 0)["parent"] == "table/shared"
    assert (shown[row_run_name("w/o ST")]["status"], shown[row_run_name("w/o ST")]["tags"]["state"]) == (
        "RUNNING",
        "waiting",
    )


def test_a_header_that_is_written_while_the_ledger_is_read_describes_its_runs(
    made: SweptScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a stage run of a row that has just come would be created under another name, which it then keeps."""
    server, reader = PretendedServer(), made.scene.reader()
    del made.rows["w/o ST"]
    made.begin()
    sender = Sender(reader, nowhere(), connect=lambda _: server)
    assert sender.step(live=True) is None
    read = reader._ledger.new

    def grown() -> list[Any]:
        monkeypatch.setattr(reader._ledger, "new", read)
        made.rows = dict(ROWS)
        made.begin()
        made.run(fail=None)
        return read()

    monkeypatch.setattr(reader._ledger, "new", grown)
    assert sender.step(live=False, final=True) is None
    shown = {name.partition("/")[2]: face for name, face in server.shown().items()}
    assert stage(shown, "translation", "aware", COLUMNS[0], 0)["name"] == "shared, seed 0: translation"
    assert stage(shown, "test", "w/o ST", COLUMNS[0], 0)["tags"]["role"] == "stage"


def test_a_row_of_other_knobs_is_another_run(made: SweptScene) -> None:
    server = PretendedServer()
    made.run(fail=None)
    sent(made, server)
    made.rows["w/o ST"] = {"self_training.rounds": 1}
    made.begin()
    assert sent(made, server)[row_run_name("w/o ST")]["params"]["self_training.rounds"] == "1"


def test_who_waits_is_scheduled_and_who_is_left_is_killed(made: SweptScene) -> None:
    server = PretendedServer()
    made.run(upto=1)
    key = key_of("segmentation", "plain", COLUMNS[0], 0)
    left = made.scene.start(made.planned("segmentation", key, row="w/o TAMT w/o ST", seed=0))
    statuses = {name: face["status"] for name, face in sent(made, server, live=True).items()}
    first = row_run_name("w/o TAMT w/o ST")
    names = ("ablation", first, row_run_name(REFERENCE), left)
    assert [statuses[name] for name in names] == ["RUNNING", "RUNNING", "SCHEDULED", "RUNNING"]
    statuses = {name: face["status"] for name, face in sent(made, server).items()}
    assert [statuses[name] for name in names] == ["KILLED", "KILLED", "SCHEDULED", "KILLED"]
    made.scene.commit(key, {"validation/dice": 0.5})  # its driver died before it could write that down
    shown = sent(made, server)
    assert (shown[left]["status"], shown["ablation"]["status"], shown[first]["status"]) == (
        "FINISHED",
        "FINISHED",
        "KILLED",
    )


def test_candidates_are_told_from_what_is_in_the_table(made: SweptScene) -> None:
    server = PretendedServer()
    tried = [("k-0", {}), ("k-1", {"segmentation.lr": 0.1})]
    candidates = tuple(candidate(number, key=key, knobs=knobs) for number, (key, knobs) in enumerate(tried))
    made.begin(cells=(), candidates=candidates)
    for key, _ in tried:
        made.stage("segmentation", key, row="Proposed", seed=0)
    shown = sent(made, server)
    faces = [shown[stage_name("segmentation", key)] for key, _ in tried]
    told = [(face["tags"]["role"], face["tags"]["candidate"]) for face in faces]
    assert told == [("candidate", "0"), ("candidate", "1")]
    assert [face["params"].get("segmentation.lr") for face in faces] == [None, "0.1"]
    assert shown[row_run_name("Proposed")]["status"] == "KILLED"  # its cells are not known yet
    stages = (("segmentation", "k-1"), ("test", "k-test"))
    cell = Cell(row="Proposed", column=COLUMNS[0], seed=0, knobs={"segmentation.lr": 0.1}, stages=stages)
    made.begin(cells=(cell,), candidates=candidates)
    made.stage("test", "k-test", row="Proposed", seed=0)
    shown = sent(made, server)
    chosen = shown[stage_name("segmentation", "k-1")]
    assert (chosen["tags"]["role"], "candidate" in chosen["tags"]) == ("stage", False)
    assert shown[row_run_name("Proposed")]["status"] == "FINISHED"


def test_a_stage_of_another_study_began_when_it_began(made: SweptScene) -> None:
    key = key_of("translation", "plain", COLUMNS[0], 0)
    made.scene.epoch(key, 1, {"train/seg": 0.5})
    trained = made.scene.clock
    made.scene.commit(key, {"validation/dice": 0.5})
    made.scene.clock += 1e5
    run = made.scene.start(made.planned("translation", key, row="w/o TAMT w/o ST", seed=0))
    made.scene.end(run)
    face = sent(made, PretendedServer())[run]
    assert (face["started"], face["ended"]) == (round(trained * 1000), round((trained + 1) * 1000))


def test_a_row_that_is_still_retuned_in_one_column_is_not_finished(tmp_path: Path) -> None:
    made = SweptScene(Scene(tmp_path, "table"), seeds=(0,))
    made.begin()
    made.run(fail=None)
    header = Ledger(made.scene.folder).header(AblationHeader)
    assert header is not None
    known = tuple(cell for cell in header.cells if (cell.row, cell.column) != ("Proposed", COLUMNS[1]))
    tried = (candidate(0, column=column, key=key_of("segmentation", "aware", column, 0)) for column in COLUMNS)
    made.begin(cells=known, candidates=tuple(tried))
    shown = sent(made, PretendedServer(), live=True)
    row = shown[row_run_name("Proposed")]
    assert (row["status"], row["tags"]["cells"], row["tags"]["state"]) == ("RUNNING", "1 of 2 complete", "waiting")
    assert shown["ablation"]["tags"]["cells"] == "7 of 8 complete"
