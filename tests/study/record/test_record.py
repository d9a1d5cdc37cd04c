"""Headers and events: those of earlier versions are read, those that are damaged are named wherever they are read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cli import main
from medsearch.cli.verification import verify
from medsearch.core.codec import encoded
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import line_of, read_record, write_sealed
from medsearch.reporting.report import summary
from medsearch.stages.code import Code
from medsearch.stages.store import Store
from medsearch.study.engine.ablation_header import begin, winner
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.identity import open_study
from medsearch.study.engine.jobs import SearchJobs
from medsearch.study.engine.staged_status import describe, frozen_by_now, pins
from medsearch.study.record.headers import (
    HEADER_REMEDY,
    AblationHeader,
    Axis,
    Base,
    Bound,
    Candidate,
    Cell,
    Event,
    Finished,
    Header,
    Recovered,
    Retuning,
    Row,
    SearchHeader,
    StagedHeader,
    Started,
    event_line,
    read_event,
    read_header,
    way_of,
)
from medsearch.study.record.ledger import HEADER, Ledger
from medsearch.study.record.referenced_stages import referenced_stages
from tests.core.test_codec import values
from tests.study import toy
from tests.study.ablations import ablation
from tests.study.headers import (
    ablation_header,
    column_header,
    finished,
    put,
    search_header,
    staged_header,
    started,
)
from tests.study.ray.drive import search
from tests.study.staging import staged

EARLIER = Path(__file__).parent / "earlier"
"""What the version before the records wrote, of the toy: one header of each kind."""


def earlier(kind: str, **changes: Any) -> dict[str, Any]:
    return {**read_record(EARLIER / f"{kind}.json"), **changes}


def test_an_ablation_of_an_earlier_version_is_read_by_its_old_names() -> None:
    header, was = read_header(EARLIER / "ablation.json"), earlier("ablation")
    assert isinstance(header, AblationHeader)
    assert [row.label for row in header.rows] == ["as proposed", "wide"]
    assert header.rows[1] == Row(
        label="wide", knobs={"polish.wide": True}, against="as proposed", columns=("t1 to t2",), method="toy"
    )
    (column,) = header.columns
    assert (column.label, column.selection, column.subjects) == ("t1 to t2", "oracle", 12)
    assert column.task == was["tasks"][0]["task"], "what a column's task is called has not changed"
    assert column.about.skipped[0].subject == "S99"
    assert [(cell.row, cell.column, cell.seed) for cell in header.cells] == [
        ("as proposed", "t1 to t2", 0),
        ("wide", "t1 to t2", 0),
    ]
    assert [(one.row, one.column, one.number, one.chosen) for one in header.candidates] == [
        (one["variant"], one["task"], one["number"], one["chosen"]) for one in was["candidates"]
    ]
    assert header.cells[0].stages[0] == ("translation", "6a2221066c9bb33e")
    assert header.retune == Retuning(space={"segmentation.weights.b": Axis(low=0, high=1)}, trials=2)
    assert header.of is not None
    assert (header.of.study, header.of.trial) == ("toy_search", 1)
    assert (type(header.margin), header.margin) == (int, 1)
    assert header.reported[0].value == 0.8
    assert isinstance(header.code["toy-translation"], Code)


def test_a_search_of_an_earlier_version_is_read() -> None:
    header = read_header(EARLIER / "search.json")
    assert isinstance(header, SearchHeader)
    assert header.space["segmentation.weights.a"] == Axis(low=0.1, high=1000, log=True)
    assert header.nuisance["polish.wide"] == Axis(domain="choice", options=(False, True))
    assert (header.scheduler.name, header.scheduler.because) == ("none", "a toy")
    assert (header.chosen, header.frozen, header.trials, header.metric) == ((1,), None, 2, "validation/dice")
    assert header.references[0].label == "No adaptation"
    assert header.about.versions == {"medsearch": "0.1.0"}


def test_a_staged_search_of_an_earlier_version_is_read() -> None:
    header = read_header(EARLIER / "staged.json")
    assert isinstance(header, StagedHeader)
    first, second = header.groups
    assert header.studies == ("toy_staged.1-first", "toy_staged.2-second", "toy_staged.refinement")
    assert (first.bound, second.bound) == (None, Bound(metric="validation/cost", at_most=3))
    assert second.frozen is not None
    assert second.pinned is not None
    assert (second.frozen.number, second.frozen.knobs["polish.wide"]) == (1, True)
    assert second.pinned.frozen == second.frozen
    assert second.pinned.decided["rule"] == second.rule
    assert header.refinement is not None
    assert header.refinement.factor == 2.0


@pytest.mark.parametrize("kind", ["search", "ablation", "staged"])
def test_what_is_read_of_an_earlier_version_and_written_now_says_the_same(kind: str, tmp_path: Path) -> None:
    header = read_header(EARLIER / f"{kind}.json")
    assert header is not None
    Ledger(tmp_path).write_header(header)
    assert Ledger(tmp_path).header() == header

    def told(of: Any) -> set[str]:
        """Every number and text in it, each as JSON has it."""
        inner = of.values() if isinstance(of, Mapping) else of if isinstance(of, list) else None
        return {json.dumps(of)} if inner is None else {one for part in inner for one in told(part)}

    assert told(earlier(kind)) <= told(read_record(tmp_path / HEADER))


LATER: dict[str, tuple[str, ...]] = {
    "search": ("cost", "scored_stage", "start", "freeze", "frozen", "code", "chosen"),
    "ablation": ("cost", "within", "code", "objective"),
    "staged": ("cost", "code"),
}
"""Fields that still older versions did not write yet."""


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in LATER.items() for name in names])
def test_a_header_from_before_a_field_came_is_read(kind: str, name: str, tmp_path: Path) -> None:
    before = {field: value for field, value in earlier(kind).items() if field != name}
    write_sealed(tmp_path / HEADER, before)
    header = Ledger(tmp_path).header()
    assert header is not None
    (declared,) = (of for of in type(header).__dataclass_fields__.values() if of.name == name)
    empty = getattr(header, name)
    assert empty == (declared.default if not callable(declared.default_factory) else declared.default_factory())


def test_groups_from_before_pins_and_bounds_are_read(tmp_path: Path) -> None:
    was = earlier("staged")
    groups = [{k: v for k, v in of.items() if k not in ("pinned", "overtaken", "bound")} for of in was["groups"]]
    write_sealed(tmp_path / HEADER, {**was, "groups": groups})
    header = Ledger(tmp_path).header(StagedHeader)
    assert header is not None
    assert [(of.pinned, of.overtaken, of.bound) for of in header.groups] == [(None, "", None)] * 2


@pytest.mark.parametrize("kind", ["grid", "", [], {}, 3, None, ["search"]])
def test_a_kind_that_nobody_knows_is_damage(kind: Any, tmp_path: Path) -> None:
    put(tmp_path, search_header(), kind=kind)
    with pytest.raises(Damaged, match=r"study\.json is of a study of kind .*, which this version does not know; run "):
        read_header(tmp_path / HEADER)


def test_a_header_without_a_kind_is_a_search_s(tmp_path: Path) -> None:
    put(tmp_path, header := search_header(), kind=...)
    assert read_header(tmp_path / HEADER) == header


@pytest.mark.parametrize("part", ["variants", "cells", "candidates", "tasks"])
@pytest.mark.parametrize("content", [..., None, 3, "text", {}, [3], [None], [{}], [["variant"]]])
def test_no_damage_of_an_earlier_ablation_is_more_than_a_line(part: str, content: Any, tmp_path: Path) -> None:
    was = {name: value for name, value in earlier("ablation", **{part: content}).items() if value is not ...}
    write_sealed(tmp_path / HEADER, was)
    with pytest.raises(Damaged, match=r"study\.json has .*; run its study again: the header is set aside") as refusal:
        read_header(tmp_path / HEADER)
    assert "\n" not in str(refusal.value)


# Events, a line each.


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event, of a run and of stages that can name files."""
    name = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)
    event: Event = draw(values(draw(st.sampled_from([Started, Finished, Recovered]))))
    if isinstance(event, Recovered):
        return event
    if isinstance(event, Finished):
        return replace(event, run=draw(name))
    return replace(event, run=draw(name), stages=tuple(replace(stage, key=draw(name)) for stage in event.stages))


@given(events())
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    line = line_of(event_line(event))
    assert read_event(line) == event
    assert line_of(event_line(read_event(line) or event)) == line
    older = json.dumps(event_line(event)).encode()
    assert read_event(older) == event, "lines from before they had a checksum are taken as they are"


STARTED, FINISHED = event_line(started(run="trial-0001")), event_line(finished(run="trial-0001"))
FAULTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "has no field 'event'"),
    ({"event": 1}, "has 1 as 'event'"),
    ({"event": None}, "has null as 'event'"),
    ({"event": "started"}, "has no field 'run'"),
    ({**STARTED, "run": 3}, "has 3 as 'run'"),
    ({**STARTED, "run": "../x"}, "is of the run '../x'"),
    ({**STARTED, "run": ""}, "is of the run ''"),
    ({**STARTED, "role": "sweep"}, "has \"sweep\" as 'role'"),
    ({**STARTED, "seed": "0"}, "has \"0\" as 'seed'"),
    ({**STARTED, "seed": True}, "has true as 'seed'"),
    ({**STARTED, "number": 1.5}, "has 1.5 as 'number'"),
    ({**STARTED, "knobs": []}, "has [] as 'knobs'"),
    ({**STARTED, "time": "now"}, "has \"now\" as 'time'"),
    ({**STARTED, "stages": {}}, "has {} as 'stages'"),
    ({**STARTED, "stages": [{"node": "test"}]}, "has no field 'stages.0.key'"),
    ({**STARTED, "stages": [["test", "k"]]}, "has [\"test\", \"k\"] as 'stages.0'"),
    ({**STARTED, "stages": [{"node": "test", "key": "../../x"}]}, "names the stage '../../x'"),
    ({**FINISHED, "run": "a/b"}, "is of the run 'a/b'"),
    ({**FINISHED, "state": "running"}, "has \"running\" as 'state'"),
    ({**FINISHED, "value": "0.5"}, "has \"0.5\" as 'value'"),
    ({**FINISHED, "values": [0.5, None]}, "has null as 'values.1'"),
    ({**FINISHED, "values": 0.5}, "has 0.5 as 'values'"),
    ({**FINISHED, "rung": 1.5}, "has 1.5 as 'rung'"),
    ({**FINISHED, "reason": 3}, "has 3 as 'reason'"),
    ({"event": "recovered", "faulty": "2", "time": 1.0}, "has \"2\" as 'faulty'"),
    *(({k: v for k, v in of.items() if k != name}, f"has no field {name!r}")
      for of in (STARTED, FINISHED) for name in of if name != "event"),
)  # fmt: skip


@pytest.mark.parametrize("sum", [True, False], ids=["with a checksum", "from before checksums"])
@pytest.mark.parametrize(("content", "told"), FAULTS)
def test_what_is_wrong_with_an_event_is_named(content: dict[str, Any], told: str, sum: bool) -> None:
    with pytest.raises(ValueError) as refusal:
        read_event(line_of(content) if sum else json.dumps(content).encode())
    assert str(refusal.value) == told


@pytest.mark.parametrize("event", ["paused", "", "Started"])
def test_an_event_of_another_version_is_passed_over(event: str) -> None:
    assert read_event(line_of({"event": event, "run": "../x"})) is None
    assert read_event(json.dumps({"event": event}).encode()) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"17", "is a number instead of an object"),
        (b'["a"]', "is a list instead of an object"),
        (b'{"event":"sta', "is no whole JSON, as when a crash cut it"),
        (line_of(STARTED).replace(b'"seed":0', b'"seed":1'), "was changed since it was written"),
        (line_of(STARTED).replace(b"crc32", b"crc33"), "was changed since it was written"),
        (line_of(STARTED).replace(b"started", b"finished"), "was changed since it was written"),
        (line_of(STARTED)[:-1], "is no whole JSON, as when a crash cut it"),
    ],
)
def test_a_line_that_was_cut_or_changed_is_no_event(line: bytes, told: str) -> None:
    with pytest.raises(ValueError) as refusal:
        read_event(line)
    assert str(refusal.value) == told


def test_an_event_may_name_a_file_whose_name_is_no_utf_8() -> None:
    event = read_event(line_of(event_line(finished(state="failed", reason="case \udcff: is no volume"))))
    assert event == finished(state="failed", reason="case ?: is no volume")


@pytest.mark.parametrize("change", [{"later": [1]}, {"seed": 0}])
def test_what_a_later_version_adds_to_an_event_is_dropped(change: dict[str, Any]) -> None:
    assert read_event(line_of({**STARTED, **change})) == started(run="trial-0001")


# What an ablation's header says of the stage runs that its rows share.

T, S, U, E = ("translation", "t"), ("segmentation", "s"), ("segmentation", "u"), ("test", "e")


@pytest.fixture
def shared() -> AblationHeader:
    """Two rows and a reference in two columns: the rows share their translation; one is still retuned in the second."""
    return ablation_header(
        columns=(column_header("A"), column_header("B")),
        rows=(Row(label="one", knobs={"x": 1}), Row(label="two", knobs={"x": 2, "y": 0}), Row(label="most")),
        seeds=(0, 1),
        fixed={"width": 8, "rate": 0.1},
        within={"B": {"depth": 3}},
        of=Base(study="found", trial=4, knobs={"rate": 0.2, "y": 5}),
        cells=(
            Cell(row="most", column="A", seed=0, knobs={}, stages=(("segmentation", "m"), ("test", "n"))),
            Cell(row="two", column="A", seed=0, knobs={"rate": 0.3}, stages=(T, U, ("test", "f"))),
            Cell(row="one", column="A", seed=0, knobs={}, stages=(T, S, ("self_training", "r"), E, E)),
            Cell(row="two", column="A", seed=1, knobs={}, stages=()),
        ),
        candidates=(
            Candidate(row="two", column="B", number=0, knobs={}, stages=(T, U)),
            Candidate(row="two", column="A", number=1, knobs={"rate": 0.4}, stages=(T, ("segmentation", "v"))),
        ),
    )


def test_owners_of_a_stage_run_are_cells_and_then_candidates_each_once(shared: AblationHeader) -> None:
    _, two, one, _ = shared.cells
    assert shared.owners["t"] == (two, one, *shared.candidates)
    assert shared.owners["u"] == (two, shared.candidates[0])
    assert shared.owners["e"] == (one,), "one that lists it twice owns it once"
    assert shared.owners.keys() == {"t", "s", "u", "v", "e", "f", "r", "m", "n"}


def test_labels_are_in_the_table_s_order_whatever_the_cells_are(shared: AblationHeader) -> None:
    assert shared.labels("t") == ("one", "two")
    assert replace(shared, rows=shared.rows[::-1]).labels("t") == ("two", "one")
    assert (shared.labels("v"), shared.labels("n"), shared.labels("none")) == (("two",), ("most",), ())


def test_cells_of_a_column_in_which_a_row_has_only_been_tried_are_unknown(shared: AblationHeader) -> None:
    assert {row.label: shared.unknown(row.label) for row in shared.rows} == {"one": 0, "two": 2, "most": 0}
    assert replace(shared, seeds=(0, 1, 2), cells=()).unknown("two") == 6
    assert shared.unknown("nobody") == 0


def test_nodes_come_in_the_order_of_the_longest_pipeline(shared: AblationHeader) -> None:
    assert shared.nodes == ("translation", "segmentation", "self_training", "test")
    assert replace(shared, cells=()).nodes == ()


def test_what_is_scored_is_the_last_of_every_pipeline(shared: AblationHeader) -> None:
    assert shared.scored == {"test"}
    longer = Cell(row="one", column="B", seed=0, knobs={}, stages=(T, ("polish", "p")))
    assert replace(shared, cells=(*shared.cells, longer)).scored == {"test", "polish"}


def test_knobs_of_a_stage_run_are_those_in_which_its_owners_agree(shared: AblationHeader) -> None:
    assert shared.knobs("s") == {"rate": 0.1, "y": 5, "width": 8, "x": 1}, "a row's, over the study's, over the base's"
    assert shared.knobs("v") == {"rate": 0.4, "y": 0, "width": 8, "x": 2}, "a candidate's own over its row's"
    assert shared.knobs("u") == {"y": 0, "width": 8, "x": 2}, "rate differs, depth is of column B alone"
    assert shared.knobs("t") == {"width": 8}
    assert shared.knobs("n") == {"rate": 0.1, "y": 5, "width": 8}
    assert shared.knobs("none") == {}
    assert replace(shared, rows=()).knobs("s") == {"rate": 0.1, "y": 5, "width": 8}, "of a row that is gone"


def test_a_bound_keeps_its_side() -> None:
    lower, upper = Bound(metric="x", at_least=0.5), Bound(metric="x", at_most=2)
    assert (lower.words, upper.words) == ("≥ 0.5", "≤ 2")
    assert [lower.holds(value) for value in (0.4, 0.5, 0.6)] == [False, True, True]
    assert [upper.holds(value) for value in (1.9, 2.0, 2.1)] == [True, True, False]


def test_the_first_objective_ranks() -> None:
    of = search_header(objectives={"validation/ssim": "maximize", "training/hours": "minimize"})
    assert of.metric == "validation/ssim"


def test_a_staged_search_s_studies_are_its_groups_and_its_refinement() -> None:
    of = staged_header()
    assert of.studies == ("a_staged_search.1-rate", "a_staged_search.refinement")
    assert replace(of, refinement=None).studies == ("a_staged_search.1-rate",)


def test_a_backward_task_goes_the_other_way() -> None:
    assert way_of({"source": "CT", "target": "ceCT"}) == "CT → ceCT"
    assert way_of({"source": "CT", "target": "ceCT", "direction": "backward"}, " to ") == "ceCT to CT"


# Damage, wherever a header is read.

HEADERS: dict[str, Header] = {
    "toy_search": search_header(name="toy_search"),
    "toy_ablation": ablation_header(name="toy_ablation"),
    "toy_staged": staged_header(name="toy_staged"),
}
Read = Callable[[Path], object]


def command(*words: str) -> Read:
    """A command on the home; its one line and its exit code are those of bad input."""

    def said(home: Path, /) -> None:
        main([*words, "--home", str(home)])

    return said


READERS: dict[str, tuple[str, Read]] = {
    "report of a search": ("toy_search", command("report", "toy_search")),
    "report of an ablation": ("toy_ablation", command("report", "toy_ablation")),
    "report of a staged search": ("toy_staged", command("report", "toy_staged")),
    "sync": ("toy_ablation", command("sync", "toy_ablation")),
    "sync of a staged search": ("toy_staged", command("sync", "toy_staged")),
    "prune": ("toy_search", command("prune", "--yes")),
    "mentions": ("toy_ablation", referenced_stages),
    "summary": ("toy_staged", lambda home: summary(home / "studies" / "toy_staged", Store(home / "stages"))),
    "search": ("toy_search", lambda home: open_study(*opened(home))),
    "ablation": ("toy_ablation", lambda home: begin(grapher(home), Ledger(home / "studies" / "toy_ablation"))),
    "ablation of a search": ("toy_search", lambda home: winner(ablation(of=search()), toy.study_environment(home))),
    "staged search": ("toy_staged", lambda home: describe(staged(), toy.study_environment(home))),
    "what a staged search froze": ("toy_staged", lambda home: frozen_by_now(staged(), toy.study_environment(home))),
    "pins": ("toy_staged", lambda home: pins("toy_staged", toy.study_environment(home))),
}


def opened(home: Path) -> tuple[SearchJobs, Ledger]:
    return SearchJobs(search(), toy.study_environment(home)), Ledger(home / "studies" / "toy_search")


def grapher(home: Path) -> Grapher:
    return Grapher(ablation(), {"brats2020": toy.study_environment(home)})


def sealed(**changes: Any) -> Callable[[Path], None]:
    """Written whole, but not what a header is: `...` leaves a field out."""

    def written(path: Path) -> None:
        content = {name: value for name, value in {**read_record(path), **changes}.items() if value is not ...}
        write_sealed(path, content)

    return written


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is no whole JSON ("),
    "a list": (lambda path: path.write_text("[]"), "holds a list instead of an object"),
    "edited": (lambda path: edit(path, '"tiny"', '"huge"'), "was changed since it was written"),
    "a field lost": (sealed(seeds=...), "has no field 'seeds'"),
    "a text for numbers": (sealed(seeds=["0"]), "has \"0\" as 'seeds.0'"),
    "a list for knobs": (sealed(fixed=[]), "has [] as 'fixed'"),
    "within": (
        sealed(code={"toy": {"modules": {}, "commit": {"name": "4be1"}}}),
        "has no field 'code.toy.commit.dirty'",
    ),
    "nothing in it": (sealed(seeds=[]), "has nothing in 'seeds'"),
    "another kind": (sealed(kind="sweep"), "is of a study of kind 'sweep', which this version does not know"),
}


@pytest.mark.parametrize(
    ("study", "change", "told"),
    [
        ("toy_search", {"objectives": {}}, "has nothing in 'objectives'"),
        ("toy_search", {"task": {}}, "has a task without its source and target"),
        ("toy_ablation", {"metrics": []}, "has nothing in 'metrics'"),
        (
            "toy_ablation",
            {"columns": [{**encoded(column_header("A")), "task": {"source": "t1"}}]},
            "has a task without",
        ),
        ("toy_staged", {"groups": []}, "has nothing in 'groups'"),
        ("toy_staged", {"task": {"target": "t2"}}, "has a task without its source and target"),
    ],
)
def test_a_header_that_holds_nothing_where_reports_need_something_is_damaged(
    home: Path, study: str, change: Mapping[str, Any], told: str
) -> None:
    folder = home / "studies" / study
    sealed(**change)(folder / HEADER)
    with pytest.raises(Damaged) as refusal:
        summary(folder, Store(home / "stages"))
    assert refusal.value.problem.startswith(told)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a study of each kind, of which nothing has run yet."""
    for name, header in HEADERS.items():
        write_sealed(tmp_path / "studies" / name / HEADER, encoded(header))
    return tmp_path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_header_is_named_in_one_line_wherever_it_is_read(
    home: Path, reader: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (study, read), (spoil, told) = READERS[reader], DAMAGES[damage]
    path = home / "studies" / study / HEADER
    spoil(path)
    content = path.read_bytes()
    with pytest.raises((BadInput, SystemExit)) as refusal:
        read(home)
    if isinstance(refusal.value, SystemExit):
        assert refusal.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
    else:
        line = str(refusal.value)
    assert f"{path} {told}" in line
    assert line.endswith(f"; {HEADER_REMEDY}")
    assert "\n" not in line
    assert path.read_bytes() == content, "reading changes nothing"


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_finds_a_damaged_header(home: Path, damage: str) -> None:
    spoil, told = DAMAGES[damage]
    spoil(path := home / "studies" / "toy_search" / HEADER)
    (found,) = verify(home, Store(home / "stages")).findings
    assert (found.what, found.remedy) == (str(path), HEADER_REMEDY)
    assert found.problem.startswith(told)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_header_is_brought_back_from_its_copy(damage: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "studies" / "toy_search")
    ledger.write_header(header := search_header(name="toy_search", chosen=(1,)))
    DAMAGES[damage][0](ledger.folder / HEADER)
    ledger.mend()
    assert ledger.header() == header
    assert len(list(ledger.folder.glob(f"{HEADER}.damaged-*"))) == 1
