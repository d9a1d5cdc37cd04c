"""Staged searches on a real Ray cluster: whole, again, and after an earlier group has another winner."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.study import Reaching
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.ray.cluster import Resources, cluster
from medsearch.study.ray.execution import ClusterOptions, run_staged
from medsearch.study.record.headers import SearchHeader, StagedHeader
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.headers import written
from tests.study.staging import FIRST, SECOND, A, staged

pytestmark = pytest.mark.slow
DRIVER = Path(__file__).with_name("drive_staged.py")


@pytest.fixture(scope="module", autouse=True)
def ray_cluster() -> Iterator[None]:
    with cluster(Resources(cpus=2), None):
        yield


def test_a_whole_staged_search_and_once_more(tmp_path: Path) -> None:
    around: list[str] = []

    @contextmanager
    def watched(search: Search) -> Iterator[ClusterOptions]:
        around.append(search.name)
        yield ClusterOptions()
        around.append("done")

    done = run_staged(staged(), toy.study_environment(tmp_path), watched)
    assert done.trained
    assert around == [word for name in staged().studies for word in (name, "done")]
    groups = written(Ledger(done.folder), StagedHeader).groups
    assert [group.frozen for group in groups] == list(done.frozen)
    later = written(Ledger(toy.study_environment(tmp_path).study("toy_staged.2-second")), SearchHeader)
    assert later.fixed == {A: done.frozen[0].knobs[A]}
    keys = [line["key"] for line in toy.executions(tmp_path)]
    assert len(keys) == len(set(keys)), "what the searches share is trained once"

    # Again, in a process of its own: nothing is trained, and neither Ray nor Optuna is imported.
    again = subprocess.run([sys.executable, DRIVER, tmp_path], capture_output=True, text=True, check=False)
    assert again.stdout.strip() == f"False {[one.number for one in done.frozen]} []", again.stderr
    assert len(toy.executions(tmp_path)) == len(keys)

    # More trials find another winner, on which the later groups do not stand.
    more = run_or_refuse(replace(staged(), groups=(replace(FIRST, trials=8), SECOND)), tmp_path)
    assert "2-second' in" in more
    assert "stands on other frozen values" in more
    assert f"{A} = " in more
    assert "remove the folders of toy_staged.2-second, toy_staged.refinement" in more
    assert "\n" not in more
    moved = written(Ledger(done.folder), StagedHeader).groups
    assert moved[0].frozen
    assert groups[0].frozen
    assert moved[0].frozen.knobs != groups[0].frozen.knobs
    assert moved[1].frozen is None


def run_or_refuse(of: StagedSearch, home: Path) -> str:
    with pytest.raises(BadInput) as refusal:
        run_staged(of, toy.study_environment(home))
    return str(refusal.value)


@pytest.mark.soak
def test_a_rule_that_allows_nothing_fails_and_a_lower_bound_goes_on(tmp_path: Path) -> None:
    def bounded(bound: float) -> StagedSearch:
        first = replace(FIRST, freeze=Reaching(metric="validation/dice", at_least=bound))
        return staged(groups=(first, replace(SECOND, trials=1, finalists=0)), refinement=None, references=())

    with pytest.raises(StudyFailed, match=r"none of 3 trials has validation/dice ≥ 2; .* or lower the bound"):
        run_staged(bounded(2.0), toy.study_environment(tmp_path))
    count = len(toy.executions(tmp_path))
    done = run_staged(bounded(0.1), toy.study_environment(tmp_path))
    assert len(done.frozen) == 2
    assert [search.trained for search in done.searches] == [False, True]
    assert len(toy.executions(tmp_path)) > count
