"""The sampler's memory: what was proposed is proposed again, what ended is told once, and restarts change nothing."""

import itertools
import math
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy

from medsearch.core.errors import BadInput
from medsearch.study import GP, NSGA2, QMC, TPE, Random, choice, loguniform, uniform
from medsearch.study.declare.samplers import Sampler
from medsearch.study.declare.search import Search
from medsearch.study.engine import databases
from medsearch.study.engine.jobs import RunResult
from medsearch.study.engine.proposals import Proposals, sqlite
from tests.study.ray.drive import search


def told(proposals: Proposals, count: int, *, first: int = 0) -> list[dict[str, object]]:
    """Propose and tell; the value is a function of the knobs."""
    found = []
    for number in range(first, count):
        knobs = proposals.propose(number)
        value = float(knobs["segmentation.weights.b"]) - abs(float(knobs["segmentation.weights.a"]) - 10) / 1000
        proposals.tell(number, RunResult(state="complete", values=(value,)))
        found.append(knobs)
    return found


@pytest.mark.parametrize(
    "sampler", [TPE(startup=2), GP(startup=2), QMC(), Random(), NSGA2(population=2)], ids=lambda s: s.name
)
def test_a_restart_after_each_proposal_changes_none(tmp_path: Path, sampler: Sampler) -> None:
    what = search(sampler=sampler)
    whole = told(Proposals(what, sqlite(tmp_path / "whole")), 4)
    broken = []
    for number in range(4):
        broken += told(Proposals(what, sqlite(tmp_path / "broken")), number + 1, first=number)
    assert broken == whole
    assert len({str(knobs) for knobs in whole}) > 2
    other = told(Proposals(what, sqlite(tmp_path / "other"), root=1), 3)
    assert other[0] == whole[0] == {**whole[0], "segmentation.weights.a": 1.0, "segmentation.weights.b": 0.0}
    assert other[1:] != whole[1:3]


def test_a_small_search_does_not_spend_itself_on_random_trials(tmp_path: Path) -> None:
    for trials, begin in ((3, 1), (8, 2), (100, 10)):
        assert TPE().build(0, 0, trials)._n_startup_trials == begin
    assert TPE(startup=4).build(0, 0, 8)._n_startup_trials == 4


def test_the_published_point_comes_first_and_once(tmp_path: Path) -> None:
    what = search(sampler=Random())
    for _ in range(3):
        assert Proposals(what, sqlite(tmp_path)).propose(0)["segmentation.weights.a"] == 1.0
    proposals = Proposals(what, sqlite(tmp_path))
    assert proposals.study.trials[0].user_attrs["origin"] == "published"
    later = [proposals.propose(number)["segmentation.weights.a"] for number in (1, 2)]
    assert 1.0 not in later
    assert len(proposals.study.trials) == 3


def test_an_open_trial_is_proposed_again_even_when_its_knobs_were_half_written(tmp_path: Path) -> None:
    what = search(sampler=Random(), published={})
    half = Proposals(what, sqlite(tmp_path))
    half.study.sampler = what.sampler.build(0, 0, 6)
    trial = half.study.ask()
    first = what.resolved.space["segmentation.weights.a"].suggest(trial, "segmentation.weights.a")
    again = Proposals(what, sqlite(tmp_path)).propose(0)
    assert again["segmentation.weights.a"] == first
    assert set(again) == set(what.resolved.domains)
    assert Proposals(what, sqlite(tmp_path)).propose(0) == again


def test_cut_and_failed_trials_are_told_as_such_and_only_once(tmp_path: Path) -> None:
    what = search(sampler=Random())
    proposals = Proposals(what, sqlite(tmp_path))
    cut = RunResult(state="cut", values=(0.25,), rung=4, reason="stopped by asha at epoch 4 with 0.25")
    failed = RunResult(state="failed", reason="train/dice = nan at epoch 2", cause="diverged")
    for number, end in enumerate((cut, failed)):
        proposals.propose(number)
        proposals.tell(number, end)
        proposals.tell(number, RunResult(state="complete", values=(9.0,)))
    stored = proposals.study.trials
    assert [trial.state.name for trial in stored] == ["PRUNED", "FAIL"]
    assert stored[0].intermediate_values == {4: 0.25}
    assert [end for _, _, end in Proposals(what, sqlite(tmp_path)).ended()] == [cut, failed]


def infeasible_share(folder: Path, sampler: Sampler, end: RunResult, *, trials: int) -> float:
    """Of the second half of the proposals, in a space of which the half b > 0.5 fits on no device."""
    proposals = Proposals(search(sampler=sampler, trials=trials, published={}, nuisance={}), sqlite(folder))
    refused = []
    for number in range(trials):
        knobs = proposals.propose(number)
        b, a = float(knobs["segmentation.weights.b"]), math.log10(float(knobs["segmentation.weights.a"]))
        fits = b <= 0.5
        refused.append(not fits)
        value = 1 - (a - 1) ** 2 / 4 - (b - 0.4) ** 2
        proposals.tell(number, RunResult(state="complete", values=(value,)) if fits else end)
    known = [found for _, _, found in Proposals(proposals.search, sqlite(folder)).ended()]
    assert [found == end for found in known] == refused, "a restart knows what was told"
    half = refused[trials // 2 :]
    return sum(half) / len(half)


NO_ROOM = RunResult(state="failed", reason="out of memory with 1 sample at a time", cause="infeasible")


@pytest.mark.parametrize(
    ("sampler", "trials"),
    [(TPE(startup=6), 32), (GP(startup=6), 24), (NSGA2(population=8), 32)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_sampler_keeps_away_from_what_cannot_be_run(tmp_path: Path, sampler: Sampler, trials: int) -> None:
    assert infeasible_share(tmp_path, sampler, NO_ROOM, trials=trials) <= 0.45


@pytest.mark.parametrize(("sampler", "trials"), [(TPE(startup=6), 32), (GP(startup=6), 24)])
def test_a_failure_alone_would_not_keep_it_away(tmp_path: Path, sampler: Sampler, trials: int) -> None:
    """Why it is told otherwise: Optuna's samplers take no notice of a failed trial."""
    failed = RunResult(state="failed", reason="out of memory", cause="error")
    assert infeasible_share(tmp_path, sampler, failed, trials=trials) >= 0.8


def test_what_cannot_be_run_is_no_result(tmp_path: Path) -> None:
    """The Gaussian process is given a value in its place; nothing else may take it for one."""
    what = search(sampler=GP(startup=2), trials=12, published={})
    proposals = Proposals(what, sqlite(tmp_path))
    proposals.propose(0)
    proposals.tell(0, NO_ROOM)
    told(proposals, 9, first=1)
    shares, _ = proposals.importances()
    values = [trial.value for trial in proposals.study.trials[1:]]
    proposals.propose(9)
    proposals.tell(9, NO_ROOM)
    assert [trial.state.name for trial in (proposals.study.trials[0], proposals.study.trials[9])] == [
        "PRUNED",
        "COMPLETE",
    ]
    assert proposals.study.trials[9].value == min(value for value in values if value is not None)
    assert proposals.importances()[0] == shares
    assert [end for number, _, end in proposals.ended() if number in (0, 9)] == [NO_ROOM, NO_ROOM]


def test_tuples_survive_the_storage(tmp_path: Path) -> None:
    from medsearch.cohorts.tasks import CrossModalityTask
    from medsearch.study import FullLength
    from tests.study.toy import TOY

    what = Search(
        name="tuples",
        question="?",
        method=TOY,
        task=CrossModalityTask(),
        space={"task.geometry.depth": choice([(0, 2), (1, 3)]), "segmentation.weights.b": uniform(0, 1)},
        selection="source",
        scheduler=FullLength(because="a test"),
        sampler=Random(),
        trials=1,
        finalists=0,
        seeds=(0,),
        published={"task.geometry.depth": [1, 3]},
    )
    proposals = Proposals(what, sqlite(tmp_path))
    assert proposals.propose(0)["task.geometry.depth"] == (1, 3)
    proposals.tell(0, RunResult(state="complete", values=(1.0,)))
    assert next(proposals.ended())[1]["task.geometry.depth"] == (1, 3)


def test_importances_are_shares_or_say_why_there_are_none(tmp_path: Path) -> None:
    what = search(sampler=Random())
    proposals = Proposals(what, sqlite(tmp_path))
    told(proposals, 3)
    shares, why = proposals.importances()
    assert (shares, "at least 4" in why) == ({}, True)
    told(proposals, 12, first=3)
    shares, why = proposals.importances()
    assert why == ""
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == set(what.resolved.domains)
    assert max(shares, key=lambda knob: shares[knob]) in ("segmentation.weights.a", "segmentation.weights.b")

    flat = Proposals(search(sampler=Random(), name="flat"), sqlite(tmp_path))
    for number in range(5):
        flat.propose(number)
        flat.tell(number, RunResult(state="complete", values=(0.5,)))
    assert "same value" in flat.importances()[1]


def test_a_storage_that_cannot_be_opened_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(BadInput, match=r"optuna.db is damaged .* bring it back from a copy"):
        Proposals(search(), sqlite(tmp_path))


def test_trials_of_another_question_are_refused_and_old_ones_without_a_mark_are_not(tmp_path: Path) -> None:
    url, fixed = f"sqlite:///{tmp_path / 'shared.db'}", "segmentation.epochs"
    told(Proposals(search(fixed={fixed: 2}), url), 1)
    Proposals(search(fixed={fixed: 2}, trials=9, finalists=1, published={}), url)
    with pytest.raises(BadInput, match=r"has trials of study 'toy_search' with another recipe; delete them") as refusal:
        Proposals(search(fixed={fixed: 3}), url)
    assert "`optuna delete-study --study-name toy_search --storage URL`" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    space = {"segmentation.weights.a": loguniform(0.1, 10), "segmentation.weights.b": uniform(0, 1)}
    with pytest.raises(BadInput, match="with another space, start, recipe"):
        Proposals(search(space=space, start={"segmentation.weights.a": 1.0}), url)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM study_user_attributes"))
    assert len(list(Proposals(search(fixed={fixed: 3}), url).ended())) == 1


Ends = dict[int, tuple[dict[str, object], RunResult | None]]
DROPPED = sqlalchemy.exc.OperationalError("-", {}, Exception("server closed the connection unexpectedly"))


def ledgered(proposals: Proposals, count: int) -> Ends:
    """What a ledger says of so many trials: the last one is open, one is cut, one is too large for any device."""
    some: tuple[RunResult | None, ...] = (
        RunResult(state="complete", values=(0.25,)),
        RunResult(state="cut", values=(0.5,), rung=4, reason="stopped"),
        NO_ROOM,
        RunResult(state="failed", reason="nan", cause="diverged"),
    )
    ends: Ends = {}
    for number in range(count):
        end = some[number % len(some)] if number < count - 1 else None
        ends[number] = dict(proposals.propose(number)), end
        if end is not None:
            proposals.tell(number, end)
    return ends


def stored(proposals: Proposals) -> Ends:
    """The same of a storage; every trial of it is proposed as it was."""
    ends: Ends = {number: (dict(knobs), end) for number, knobs, end in proposals.ended()}
    return ends | {number: (dict(proposals.propose(number)), None) for number in sorted(proposals.running())}


@contextmanager
def struck(at: int, error: BaseException) -> Iterator[list[str]]:
    """Statement `at` that makes or removes a study, a trial or a study's attribute, counted from 1, raises `error`;
    yields those that were sent."""
    sent: list[str] = []

    def strike(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if re.match(r"(INSERT INTO|DELETE FROM) (studies|trials|study_user_attributes)\b", statement):
            sent.append(statement)
            if len(sent) == at:
                raise error

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", strike)
    try:
        yield sent
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", strike)


@pytest.mark.parametrize("lost", [False, True], ids=["reopened", "lost"])
@pytest.mark.parametrize(
    "error", [pytest.param(KeyboardInterrupt(), marks=pytest.mark.slow), DROPPED], ids=["killed", "dropped"]
)
def test_no_trial_is_lost_wherever_writing_them_anew_ends(
    error: BaseException, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each statement in turn the process is killed, or its connection; then the same is asked for again."""
    monkeypatch.setattr(databases, "PAUSES", (0.0, 0.0))
    what = search(sampler=Random(), nuisance={})
    whole = Proposals(what, sqlite(tmp_path))
    wanted = begun = ledgered(whole, 3)
    if not lost:
        wanted = begun | {1: (begun[1][0], None)}
    (tmp_path / "empty").mkdir()
    Proposals(what, sqlite(tmp_path / "empty"))
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        shutil.copy(tmp_path / ("empty/optuna.db" if lost else "optuna.db"), folder)

        def brought_up(folder: Path = folder) -> Proposals:
            memory = Proposals(what, sqlite(folder))
            memory.restore(begun)
            if not lost:
                memory.reopen({1})
            return memory

        with struck(at, error) as sent, suppress(type(error), BadInput):
            brought_up()
        assert stored(brought_up()) == wanted, f"statement {at}: {sent[-1]}"
        if len(sent) < at:
            break
    assert at > 10


@pytest.mark.parametrize("sampler", [QMC(), TPE(startup=2)], ids=lambda s: s.name)
def test_a_storage_that_lacks_trials_is_filled_up_from_the_ledger(tmp_path: Path, sampler: Sampler) -> None:
    """An earlier copy was put back, or an earlier release was killed while it filled it."""
    what = search(sampler=sampler)
    whole = Proposals(what, sqlite(tmp_path / "whole"))
    ends = ledgered(whole, 5)
    for count in (0, 3):
        earlier = Proposals(what, sqlite(tmp_path / str(count)))
        ledgered(earlier, count)
        earlier.restore(ends)
        assert stored(earlier) == ends
        assert earlier.propose(5).keys() == what.resolved.domains.keys()


@pytest.mark.parametrize("missing", [0, 2])
def test_a_trial_that_neither_ledger_nor_storage_knows_is_proposed_anew(tmp_path: Path, missing: int) -> None:
    what = search(sampler=Random())
    ends = ledgered(Proposals(what, sqlite(tmp_path / "whole")), 5)
    known = {number: one for number, one in ends.items() if number != missing}
    filled = Proposals(what, sqlite(tmp_path / "filled"))
    filled.restore(known)
    assert filled.running() == {missing, 4}
    anew = filled.propose(missing)
    assert anew == Proposals(what, filled.url).propose(missing)
    assert (anew["segmentation.weights.a"] == 1.0) == (missing == 0), "the published point is the first one"
    assert {number: one for number, one in stored(filled).items() if number != missing} == known
    assert filled.propose(5).keys() == anew.keys()


def test_a_storage_of_other_trials_than_the_ledgers_is_refused(tmp_path: Path) -> None:
    what = search(sampler=Random())
    ends = ledgered(Proposals(what, sqlite(tmp_path / "whole")), 5)
    other = Proposals(what, sqlite(tmp_path / "other"), root=1)
    told(other, 3)
    with pytest.raises(BadInput, match=r"^trial 1 of the sampler's storage .* has segmentation.weights.a = .* the led"):
        other.restore(ends)
    assert len(other.study.trials) == 3
