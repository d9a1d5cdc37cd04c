"""Options that are given without a value, and numbers that are lowered: what is refused and what is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cli.exits import require_values
from medsearch.cli.options import parser
from medsearch.cli.running import dry_run
from medsearch.cli.study import with_options
from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.study import uniform
from medsearch.study.declare import Study
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.record.ledger import Ledger, PlannedRun
from tests.study import toy
from tests.study.ablations import ablation, sweep_of
from tests.study.staging import staged


@pytest.mark.parametrize(
    "given",
    [
        ["--storage=postgresql://u:secret@h/db?opt="],
        ["--store=s3://bucket/stages?token="],
        ["--storage", "postgresql://u:secret@h/db?opt="],
        ["--data", "brats2020=/data/a="],
        ["--home", "a=", "--dry-run"],
        [],
    ],
)
def test_values_that_end_in_an_equals_sign_are_values(given: list[str]) -> None:
    require_values(given)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["--storage="], "--storage"),
        (["--storage", ""], "--storage"),
        (["--dry-run", "--home", ""], "--home"),
        (["--storage=postgresql://u:secret@h/db?opt=", ""], "an argument"),
        (["--storage", "postgresql://u:secret@h/db?opt=", ""], "an argument"),
        ([""], "an argument"),
    ],
)
def test_an_empty_value_is_refused_by_the_name_of_its_option(given: list[str], name: str) -> None:
    with pytest.raises(BadInput) as refused:
        require_values(given)
    assert str(refused.value) == f"{name} has an empty value; give one, or leave it out"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
def test_no_value_is_refused_or_shown(value: str) -> None:
    require_values([f"--storage={value}"])
    with pytest.raises(BadInput) as refused:
        require_values([f"--storage=secret{value}", ""])
    assert "secret" not in str(refused.value)


@dataclass(frozen=True)
class Written:
    """Data that lie in one place and were checked."""

    environment: StudyEnvironment

    def written_environments(self, tasks: Sequence[Task]) -> Mapping[str, StudyEnvironment]:
        assert tasks
        return {"brats2020": self.environment}


def print_plan_of(study: Study, data: Written, *more: str) -> None:
    options = parser(study).parse_args([*more, "--dry-run"])
    dry_run(with_options(study, options), options, data)


def test_the_plan_of_a_staged_search_says_which_searches_have_more_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment, (first, second, _) = toy.study_environment(tmp_path), staged().studies
    for name, count in ((first, 3), (second, 2)):
        for number in range(count):
            Ledger(environment.study(name)).started(PlannedRun(role="trial", seed=0, number=number))
    print_plan_of(staged(), Written(environment), "--trials", "2")
    out = capsys.readouterr().out
    assert f"{first}: 3 trials are stored, 2 asked for; all 3 count, and no other is tried" in out
    assert out.count("are stored,") == 1


@pytest.mark.parametrize(("trials", "said"), [("2", True), ("4", True), ("3", False)])
def test_the_plan_of_an_ablation_says_that_configurations_are_drawn_anew(
    trials: str, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = toy.study_environment(tmp_path)
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=3)
    sweep_of(what, tmp_path, environment=environment)
    print_plan_of(what, Written(replace(environment)), "--trials", trials, "--seeds", "0,1")
    told = f"toy_ablation: 3 configurations were asked for of each row that is retuned, now it is {trials}; they are"
    assert (told in " ".join(capsys.readouterr().out.split())) == said
