"""Every knob of every method's recipe changes what is trained, or is declared inert, with the reason.

A stage is trained with the knob's value and with another one; its epochs, outcome and weights must differ. At each
commit one knob of every type of value is tried for every method, another one at another commit; all of them, marked
`every_knob`, where what methods stand on has changed.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs
from medsearch.core.repository import commit_of
from medsearch.stages.execution import run_stage
from medsearch.stages.pipelines import StageRun
from medsearch.stages.store import Store
from tests.contracts.walks import METHODS, WALKS
from tests.methods.modatts.walk import MODATTS
from tests.micro import Micro, drained
from tests.walk import Values, Walk


def another(walk: Walk, knob: str, value: Any) -> Any:
    if knob in walk.others:
        return walk.others[knob]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value * 1.5


class Trained:
    """What comes of the stage that a knob belongs to; each setting is trained once."""

    def __init__(self, micro: Micro, walk: Walk, folder: Path) -> None:
        self.micro = replace(micro, store=Store(folder / "stages"), of=walk.small)
        self.walk, self.folder = walk, folder
        self.known: dict[tuple[str, str], str] = {}
        if walk.translators:  # as if the best one differed
            best, trained = (
                self.micro.finished("translation", changes, task=walk.task) for changes in (walk.short, None)
            )
            best.file("best.safetensors").write_bytes(trained.file("weights.safetensors").read_bytes())

    def __call__(self, knob: str, changes: Values) -> str:
        walk, node = self.walk, self.walk.nodes[knob.split(".")[0]]
        runs = self.micro.runs({**walk.short, **changes}, test=True, task=walk.on.get(knob, walk.task))
        run = runs[node]
        if (node, run.key) not in self.known:
            try:
                self._finish_upstream(run, runs)
                self.known[node, run.key] = self._result(run)
            except BadInput as error:
                self.known[node, run.key] = str(error)
        return self.known[node, run.key]

    def _finish_upstream(self, run: StageRun, runs: dict[str, StageRun]) -> None:
        for before in runs.values():
            if before.key in run.upstream.values():
                self._finish_upstream(before, runs)
                drained(run_stage(self.micro.executor(), before))

    def _result(self, run: StageRun) -> str:
        folder = self.folder / run.key
        folder.mkdir()
        epochs, outcome = drained(run.stage.train(self.micro.context(run, folder)))
        written = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written}
        return repr(([(epoch.number, epoch.metrics) for epoch in epochs], outcome.metrics, files))  # no durations


@pytest.fixture(scope="module")
def trained(micro: Micro, ct: Micro, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    made: dict[str, Trained] = {}

    def of(method: str) -> Trained:
        if method not in made:
            walk = WALKS[method]
            made[method] = Trained(ct if walk.synthesis else micro, walk, tmp_path_factory.mktemp(method))
        return made[method]

    return of


COMMIT = commit_of(Path(__file__).parent)


def sampled(chosen: Callable[[Walk], Iterable[str]]) -> list[Any]:
    """Method and knob; all but one of each type of value are marked, by the commit that is tested."""
    cases: list[Any] = []
    for method, walk in WALKS.items():
        types: dict[type, list[str]] = {}
        for knob in chosen(walk):
            types.setdefault(type(knobs(walk.small.recipe)[knob]), []).append(knob)
        for alike in types.values():
            turn = int(COMMIT.name, 16) % len(alike) if COMMIT else 0
            marks = [() if number == turn else pytest.mark.every_knob for number in range(len(alike))]
            cases += [pytest.param(method, knob, marks=mark) for knob, mark in zip(alike, marks, strict=True)]
    return cases


CHANGING = sampled(lambda walk: [knob for knob in knobs(walk.small.recipe) if knob not in (*walk.inert, *walk.wiring)])
INERT = sampled(lambda walk: walk.inert)


@pytest.mark.parametrize(("method", "knob"), CHANGING)
def test_the_knob_changes_what_is_trained(trained: Callable[[str], Trained], method: str, knob: str) -> None:
    walk = WALKS[method]
    value, needed = knobs(walk.small.recipe)[knob], walk.needs.get(knob, {})
    value = needed.get(knob, walk.short.get(knob, value))
    result = trained(method)
    assert result(knob, {**needed, knob: another(walk, knob, value)}) != result(knob, needed), f"{knob} is inert"


@pytest.mark.parametrize(("method", "knob"), INERT)
def test_what_is_declared_inert_is(trained: Callable[[str], Trained], method: str, knob: str) -> None:
    assert trained(method)(knob, {knob: WALKS[method].others[knob]}) == trained(method)(knob, {})


def test_every_method_that_is_shipped_is_walked() -> None:
    assert {method.name for method in METHODS} == set(WALKS) == {walk.small.name for walk in WALKS.values()}


def test_rounds_and_folds_are_nodes(micro: Micro) -> None:
    assert MODATTS.wiring == ("self_training.rounds", "ensemble.folds")
    assert [len(micro.runs({"self_training.rounds": rounds})) for rounds in (0, 1, 3)] == [3, 4, 6]
    assert [len(micro.runs({"ensemble.folds": folds})) for folds in (1, 2, 3)] == [4, 2 + 2 * 2, 2 + 3 * 2]


@pytest.mark.parametrize("method", WALKS)
def test_a_training_says_its_batch_and_a_test_has_none(micro: Micro, ct: Micro, method: str) -> None:
    """What runs out of memory is cut into parts of it."""
    walk = WALKS[method]
    runs = replace(ct if walk.synthesis else micro, of=walk.small).runs(test=True)
    assert {node for node, run in runs.items() if run.stage.batch is None} == {"test", "synthesis"} & set(runs)
    assert list(runs)[-1] == "test"


@pytest.mark.parametrize("method", WALKS)
def test_the_lists_name_knobs_that_exist(method: str) -> None:
    walk = WALKS[method]
    assert {*walk.inert, *walk.wiring, *walk.others, *walk.needs, *walk.on} <= set(knobs(walk.small.recipe))
