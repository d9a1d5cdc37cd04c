"""What trains a stage is what its digest is of: every function that runs while it trains is reached by its closure."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import medsearch
from medsearch.core import sources
from medsearch.core.sources import Tree
from medsearch.stages.code import code_of
from medsearch.stages.execution import run_stage
from medsearch.stages.stage import Stage, Training
from tests.contracts.walks import WALKS
from tests.micro import Micro, drained

PACKAGE = Path(medsearch.__file__).parent
BROUGHT = frozenset({"stages.manifest", "stages.folders", "core.codec", "core.records", "core.locks"})
"""Run by the store when a stage asks for a file of what it takes; what is in that file is of the upstream's code."""


def reached(stage: Stage) -> dict[str, set[str]]:
    """By module, the names of the definitions that the stage's digest is of."""
    kinds = [type(stage), *(type(getattr(stage, name)) for name in stage.__dataclass_fields__)]
    found = sources._Closure((Tree(PACKAGE.parent, PACKAGE.name),), None)
    for kind in kinds:
        found.include(kind.__module__, kind.__qualname__)
    return {
        module: {name for place in places for name in sources._names_defined(found.sources[module].body[place])}
        for module, places in found._included.items()
    }


class Watch:
    """The functions of this package that run while stages train."""

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.codes.add(frame.f_code)

    def over(self, train: Callable[..., Training]) -> Callable[..., Training]:
        def watched(stage: Stage, context: Any) -> Training:
            training = train(stage, context)
            while True:
                threading.setprofile(self)
                sys.setprofile(self)
                try:
                    epoch = next(training)
                except StopIteration as end:
                    return end.value
                finally:
                    sys.setprofile(None)
                    threading.setprofile(None)
                yield epoch

        return watched

    def ran(self) -> Iterator[tuple[str, str]]:
        """Module and name of each."""
        for code in self.codes:
            path = Path(code.co_filename)
            name = code.co_qualname.partition(".")[0]
            if path.is_relative_to(PACKAGE) and not name.startswith("<"):
                parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), name


@pytest.mark.soak
@pytest.mark.parametrize("method", WALKS)
def test_all_that_runs_while_a_stage_trains_is_in_its_digest(
    method: str, micro: Micro, ct: Micro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = WALKS[method]
    of = replace(ct if walk.synthesis else micro, store=micro.store.__class__(tmp_path / "stages"), of=walk.small)
    for run in of.runs(walk.short, test=True, task=walk.task).values():
        code = code_of(run.stage)
        assert code is not None
        for module in code.modules:
            importlib.import_module(module)  # so that nothing but training runs
        watch = Watch()
        with monkeypatch.context() as patch:
            patch.setattr(type(run.stage), "train", watch.over(type(run.stage).train))
            drained(run_stage(of.executor(), run))
        known = reached(run.stage)
        ran = {(module, name) for module, name in watch.ran() if module.removeprefix("medsearch.") not in BROUGHT}
        assert len(ran) > 5
        assert known.keys() >= code.modules.keys()
        assert {(module, name) for module, name in ran if name not in known.get(module, ())} == set(), run.node
