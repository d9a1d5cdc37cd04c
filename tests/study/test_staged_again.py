"""A staged search that is started again: its freezes stand, and folders of another question are refused unharmed."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.reporting.collect import collect_staged
from medsearch.study import Reaching, Refinement, StagedSearch, choice, loguniform, uniform
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import search_of
from medsearch.study.engine.identity import differs, note, open_study
from medsearch.study.engine.jobs import Job, SearchJobs, StudyEnvironment
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.engine.search_status import freeze, search_status
from medsearch.study.engine.staged_status import describe, frozen_by_now, staged_status
from medsearch.study.plan import plan_staged, staged_table
from medsearch.study.record.headers import SearchHeader, StagedHeader
from medsearch.study.record.ledger import HEADER, HEADER_COPY, Ledger, PlannedRun
from medsearch.study.record.referenced_stages import referenced_stages
from tests.reporting.written import files
from tests.study import toy
from tests.study.headers import written
from tests.study.ray.drive import do
from tests.study.staging import FIRST, SECOND, WIDE, A, B, carry_out_search, carry_out_staged, staged

NAMES = staged().studies


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("staged")
    list(carry_out_staged(staged(), home))
    return home


@pytest.fixture
def home(ended: Path, tmp_path: Path) -> Path:
    shutil.copytree(ended, tmp_path / "home")
    return tmp_path / "home"


def test_a_search_that_is_stopped_between_any_two_jobs_freezes_what_it_would_have(ended: Path, tmp_path: Path) -> None:
    of, environment = staged(), toy.study_environment(tmp_path)
    lives = 0

    def one_job_a_life(search: Search) -> None:
        nonlocal lives
        jobs, ledger = SearchJobs(search, environment), Ledger(environment.study(search.name))
        open_study(jobs, ledger)
        while True:
            lives += 1
            driver = SearchDriver(jobs, ledger=ledger, proposals=lambda: Proposals(search, sqlite(ledger.folder)))
            job = driver.next()
            if job == "finished":
                note(ledger, chosen=driver.finalists)
                return
            assert isinstance(job, Job)
            if lives % 2:  # every second life ends with its job begun and not done
                driver.ended(job.run, do(driver, job))

    for part in staged_status(of, environment, one_job_a_life):
        describe(of, environment)
        assert not part.refusal
    (at_once, _), (stopped, _) = (frozen_by_now(of, toy.study_environment(home)) for home in (ended, tmp_path))
    assert stopped == at_once
    assert lives > 20


def fail_a_seed_of_the_winner(search: Search, environment: StudyEnvironment) -> None:
    """As if a replicate of what would be frozen had failed by an accident."""
    at = search_status(SearchJobs(search, environment))
    winner = freeze(search, SECOND.freeze, at, environment.store).number
    run = at.runs[f"replicate-{winner:04d}-seed-1"]
    ledger = Ledger(environment.study(search.name))
    name = ledger.started(
        PlannedRun(role=run.role, seed=run.seed, number=run.number, knobs=run.knobs, stages=run.stages)
    )
    ledger.finished(name, state="failed", reason="worker died", cause="worker died")


def test_a_freeze_stands_though_a_seed_that_failed_came_back_better(tmp_path: Path) -> None:
    of, environment = staged(), toy.study_environment(tmp_path)
    decide(of, environment)
    parts = list(staged_status(of, environment))
    before, table_before = frozen_by_now(of, environment), table_of(environment)
    list(carry_out_staged(of, tmp_path))
    search = parts[1].search
    now = freeze(search, SECOND.freeze, search_status(SearchJobs(search, environment)), environment.store)
    assert now.number != before[0][1].number, "the retried seed would have moved the freeze"
    assert frozen_by_now(of, environment) == before
    assert table_of(environment) == table_before
    told = written(Ledger(environment.study(of.name)), StagedHeader).groups[1].overtaken
    assert f"trial {now.number} would be frozen by now" in told
    assert f"trial {before[0][1].number} stands until" in told

    # A number that is declared anew decides anew.
    more = staged(groups=(FIRST, replace(SECOND, finalists=3)))
    part = list(staged_status(more, environment, lambda search: carry_out_search(search, environment)))[1]
    assert part.frozen == freeze(part.search, SECOND.freeze, part.at, environment.store)
    assert part.overtaken == ""


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def decide(of: StagedSearch, environment: StudyEnvironment) -> None:
    """Run it, and let the second group's decision be one that would come out otherwise by now."""

    def run(search: Search) -> None:
        carry_out_search(search, environment)
        if search.name == NAMES[1]:
            fail_a_seed_of_the_winner(search, environment)

    assert not any(part.refusal for part in staged_status(of, environment, run))
    describe(of, environment)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("decided")
    decide(staged(), toy.study_environment(home))
    list(carry_out_staged(staged(), home))
    return home


@pytest.mark.parametrize("study", ["toy_staged", NAMES[0], NAMES[1]])
@pytest.mark.parametrize(
    "damage",
    [flip, lambda path: path.write_bytes(path.read_bytes()[:-90]), Path.unlink, lambda path: path.write_text("17")],
    ids=["flipped", "cut", "lost", "number"],
)
def test_a_header_that_is_damaged_or_lost_takes_no_decision_with_it(
    decided: Path, tmp_path: Path, study: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What a group froze stands, though the runs would decide otherwise by now."""
    shutil.copytree(decided, home := tmp_path / "home")
    of, environment = staged(), toy.study_environment(home)
    ledger = Ledger(environment.study(study))
    before, header = frozen_by_now(of, environment), ledger.header()
    assert before[1] == ""
    damage(ledger.folder / HEADER)
    for name in (of.name, *of.studies):
        Ledger(environment.study(name)).mend()
    assert ledger.header() == header
    assert f"{ledger.folder / HEADER} " in caplog.text
    assert "it is brought back from study.copy.json" in caplog.text
    list(carry_out_staged(of, home))
    assert frozen_by_now(of, environment) == before
    damage(ledger.folder / HEADER_COPY)
    ledger.mend()
    ledger.mend()
    assert (ledger.folder / HEADER_COPY).read_bytes() == (ledger.folder / HEADER).read_bytes()


def test_the_loss_of_a_header_with_its_copy_is_said_with_what_follows(
    decided: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(decided, home := tmp_path / "home")
    ledger = Ledger(toy.study_environment(home).study("toy_staged"))
    for name in (HEADER, HEADER_COPY):
        flip(ledger.folder / name)
    ledger.mend()
    assert ledger.header() is None
    assert re.search(
        r"study\.json .*; it is study\.json\.damaged-\S+ now; there is no other copy: .* freeze", caplog.text
    )


def table_of(environment: StudyEnvironment) -> list[str]:
    """The lines of the groups and of the knobs, without the refinement's."""
    text = files(collect_staged(environment.study("toy_staged"), environment.store))["table.md"]
    return [line for line in text.splitlines() if line.startswith("|")]


def test_a_group_whose_folder_was_removed_is_decided_anew(home: Path) -> None:
    environment = toy.study_environment(home)
    shutil.rmtree(environment.study(NAMES[1]))
    frozen, refusal = frozen_by_now(staged(), environment)
    assert (len(frozen), refusal) == (1, "")


@pytest.mark.parametrize(
    ("groups", "part"),
    [
        ((replace(FIRST, objective={"validation/dice": "minimize"}), SECOND), "objective"),
        ((replace(FIRST, fixed={"segmentation.epochs": 3}), SECOND), "recipe"),
        ((replace(FIRST, space={A: loguniform(0.1, 100)}), SECOND), "space"),
        ((replace(FIRST, space={A: loguniform(0.1, 1000), "polish.epochs": choice([1, 2])}), SECOND), "space"),
        ((FIRST, replace(SECOND, space={B: uniform(0, 1), WIDE: choice([True])})), "space"),
    ],
    ids=["objective", "fixed", "space", "another knob", "a choice less"],
)
def test_a_group_that_was_edited_is_refused_and_its_header_stays(home: Path, groups: Any, part: str) -> None:
    of, environment = staged(groups=groups), toy.study_environment(home)
    written = (environment.study(of.name) / HEADER).read_bytes()
    told = refusal_of(lambda: describe(of, environment))
    name = NAMES[0] if groups[0] != FIRST else NAMES[1]
    assert f"study '{name}' in {environment.study(name)} was begun with another {part}" in told
    after = ", ".join(NAMES[NAMES.index(name) :])
    assert told.endswith(f"or remove the folders of {after} (what they trained stays in the store)")
    assert "\n" not in told
    assert (environment.study(of.name) / HEADER).read_bytes() == written
    plans = plan_staged(of, environment, slots=1)
    (refused,) = [one for one in plans if one.refused]
    assert refused.refused.startswith(f"refused: its folder was begun with another {part}")
    assert staged_table(of, plans).row_count == 3


def refusal_of(call: Callable[[], Any]) -> str:
    with pytest.raises(BadInput) as refusal:
        call()
    return str(refusal.value)


def test_a_refused_search_is_not_run(home: Path) -> None:
    count = len(toy.executions(home))
    of = staged(refinement=Refinement(trials=3, factor=4.0))
    asked: list[str] = []
    parts = list(staged_status(of, toy.study_environment(home), lambda search: asked.append(search.name)))
    assert asked == list(NAMES[:2])
    assert parts[2].foreign.startswith("was begun with another space")
    assert len(toy.executions(home)) == count


def test_what_a_folder_differs_in(home: Path) -> None:
    environment = toy.study_environment(home)

    def found(of: StagedSearch) -> list[str]:
        search = next(staged_status(of, None)).search
        return differs(SearchJobs(search, environment), Ledger(environment.study(search.name)).header())

    assert found(staged()) == []
    assert found(staged(groups=(replace(FIRST, trials=9, finalists=2), SECOND))) == []
    other = replace(FIRST, objective={"validation/dice": "minimize"}, space={A: loguniform(1, 10)})
    assert found(staged(groups=(other, SECOND))) == ["space", "objective"]
    search = next(staged_status(staged(), None)).search
    assert differs(SearchJobs(search, environment), None) == []


COSTLY = Reaching(metric="validation/cost", at_most=1.0)
"""The toy's wide configurations are better and cost 2.0."""


def test_finalists_are_taken_from_what_the_rule_allows_and_prune_keeps_what_is_frozen(tmp_path: Path) -> None:
    wide = replace(SECOND, space={B: uniform(0, 1), WIDE: choice([False, True])}, trials=6, finalists=1, freeze=COSTLY)
    of, environment = staged(groups=(FIRST, wide), refinement=None, references=()), toy.study_environment(tmp_path)
    parts = list(staged_status(of, environment, lambda search: carry_out_search(search, environment)))
    frozen = parts[1].frozen
    assert frozen is not None
    assert frozen.knobs[WIDE] is False
    assert parts[1].at.finalists == (frozen.number,), "the finalist is what the rule allows, not the best by value"
    assert frozen.seeds == 2
    free = replace(parts[1].search, freeze=None)
    assert search_status(SearchJobs(free, environment)).finalists != parts[1].at.finalists, (
        "by value another one would be"
    )

    describe(of, environment)
    ledger = Ledger(environment.study(NAMES[1]))
    header = written(ledger, SearchHeader)
    assert (header.frozen, header.freeze) == (frozen.number, str(COSTLY))
    others = [run for run in ledger.runs().values() if run.role == "trial" and run.number != frozen.number]
    ledger.write_header(replace(header, chosen=(int(others[0].number or 0),)))
    spare = referenced_stages(tmp_path).spare
    assert not spare & {key for _, key in ledger.runs()[f"trial-{frozen.number:04d}"].stages}
    assert spare & {key for run in others for _, key in run.stages}


def test_trials_on_another_frozen_point_are_not_taken_over_from_a_shared_storage(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    Proposals(search_of(staged(), 1, {A: 2.0}), url).propose(0)
    Proposals(search_of(staged(), 1, {A: 2.0}), url)
    with pytest.raises(BadInput, match=r"has trials of study 'toy_staged.2-second' with another recipe"):
        Proposals(search_of(staged(), 1, {A: 3.0}), url)
