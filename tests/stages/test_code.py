"""What a manifest says of the code that trained a stage, and how stored stages stand beside today's."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.codec import decoded, encoded
from medsearch.stages.code import Code, code_statuses
from medsearch.stages.context import Runtime
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.manifest import EarlierCode, Manifest, TrainingCode
from medsearch.stages.store import Store
from tests.micro import Micro, drained
from tests.stages.toy import Counter, run_of

STAGE = """
from dataclasses import dataclass
from medsearch.core.recipes import recipe
from medsearch.losses.weights import normalised
from medsearch.stages.stage import Outcome, Stage
from beside import step

STEPS = 3

@recipe
class Own:
    epochs: int = 1

@dataclass(frozen=True)
class Training(Stage):
    recipe: Own
    name = "own"
    version = 1

    def reads(self):
        return frozenset()

    def train(self, context):
        import medsearch.losses.dice
        yield step(normalised({"x": STEPS}))
        return Outcome({})

def said():
    import json
    from medsearch.stages.code import code_of
    code = code_of(Training(Own()))
    return json.dumps(code and [code.modules, code.commit and str(code.commit), code.package and str(code.package)])

TRIALS = 10
"""
TOLD = "if __name__ == '__main__':\n    print(said())\n"


def told(folder: Path, *command: str, **files: str) -> Any:
    """What a program says of its own stage's code, run in a process of its own."""
    for name, text in {"study": STAGE + TOLD, "beside": "def step(n):\n    return n\n", **files}.items():
        (folder / f"{name}.py").write_text(text)
    around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    found = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=True, env=around, cwd=folder
    )
    return json.loads(found.stdout)


def test_a_program_with_a_stage_of_its_own_is_covered_with_what_lies_beside_it(tmp_path: Path) -> None:
    path = str(tmp_path / "study.py")
    modules, commit, package = told(tmp_path, path)
    assert {"__main__", "beside", "medsearch.losses.dice", "medsearch.losses.weights"} <= modules.keys()
    assert not {name for name in modules if name.partition(".")[0] not in ("__main__", "beside", "medsearch")}
    assert commit is None
    assert package
    assert told(tmp_path, path, study=STAGE.replace("TRIALS = 10", "TRIALS = 20") + TOLD)[0] == modules
    steps = told(tmp_path, path, study=STAGE.replace("STEPS = 3", "STEPS = 4") + TOLD)[0]
    assert {name for name in modules if steps[name] != modules[name]} == {"__main__"}
    beside = told(tmp_path, path, beside="def step(n):\n    return -n\n")[0]
    assert {name for name in modules if beside[name] != modules[name]} == {"beside"}


def test_a_session_is_covered_by_the_cells_that_define_the_stage(tmp_path: Path) -> None:
    def of(*cells: str) -> Any:
        program = (
            "import sys\n"
            f"In = {cells!r}\n"
            "In = list(In)\n"
            "for cell in In:\n"
            "    exec('\\n'.join(l for l in cell.splitlines() if not l.startswith('%')), globals())\n"
            "del __file__\n"
            "print(said())\n"
        )
        return told(tmp_path, str(tmp_path / "session.py"), session=program)[0]

    modules = of("%load_ext autoreload", STAGE)
    assert {"__main__", "beside", "medsearch.losses.dice"} <= modules.keys()
    assert of("one = 1", STAGE, "other = 1") == modules
    assert of(STAGE, "STEPS = 4")["__main__"] != modules["__main__"]


def test_an_installed_method_is_covered_without_what_is_installed_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "site" / "lib"
    folder.mkdir(parents=True)
    program = (
        f"import site, sysconfig; site.getsitepackages = lambda: [{str(folder)!r}]; import own_method.training as own;"
        "print(own.said())"
    )
    (folder / "own_method").mkdir()
    (folder / "own_method" / "__init__.py").write_text("")
    (folder / "own_method" / "training.py").write_text(STAGE)
    modules, commit, _ = told(folder, "-c", program)
    assert {"own_method.training", "medsearch.losses.dice"} <= modules.keys()
    assert "beside" not in modules
    assert commit is None


@pytest.fixture
def executor(micro: Micro, tmp_path: Path) -> StageExecutor:
    return StageExecutor(Store(tmp_path / "stages"), micro.prepared, Runtime())


def test_a_manifest_names_commit_digest_and_modules(executor: StageExecutor) -> None:
    run = run_of(Counter(), seed=4)
    _, artifact = drained(run_stage(executor, run))
    code = artifact.manifest.code
    assert code.digest == run.code.digest
    assert {"tests.stages.toy", "medsearch.stages.stage"} <= artifact.manifest.modules.keys()
    assert code.upstream == {}
    assert code.earlier == ()
    assert {line["code"] for line in executor.store.journal(run.key)} == {code.digest}
    assert artifact.manifest.training_code.digest == code.digest
    assert executor.store.summaries()[run.key].modules == {}


def manifest(stage: str, digest: str | None, **upstream: tuple[str, str | None]) -> Manifest:
    taken = {role: key for role, (key, _) in upstream.items()}
    said = {role: line for role, (_, line) in upstream.items()}
    code = TrainingCode(commit="c" * 40, dirty=False, digest=digest, upstream=said)
    return Manifest(stage=stage, upstream=taken, metrics={}, code=code if digest else "0.1.0")


def test_what_stands_on_changed_code_is_no_more_current_than_that() -> None:
    today = {name: Code(modules={"m": name}) for name in "abc"}
    a = manifest("a", today["a"].digest)
    old = manifest("a", "old")
    stored = {
        "a": a,
        "old": old,
        "unknown": manifest("a", None),
        "b on a": manifest("b", today["b"].digest, model=("a", a.lineage)),
        "b on old": manifest("b", today["b"].digest, model=("old", old.lineage)),
        "b on what a was": manifest("b", today["b"].digest, model=("a", old.lineage)),
        "b on unknown": manifest("b", today["b"].digest, model=("unknown", None)),
        "b on gone": manifest("b", today["b"].digest, model=("gone", "whatever")),
        "of no interest": manifest("d", "anything"),
    }
    stored["c on that"] = manifest("c", today["c"].digest, model=("b on old", stored["b on old"].lineage))
    code = replace(a.training_code, earlier=(EarlierCode(digest="old"),))
    stored["mixed"] = replace(a, code=code)
    assert code_statuses(stored, today, stored) == {
        "a": "current",
        "old": "changed",
        "unknown": "unknown",
        "b on a": "current",
        "b on old": "upstream changed",
        "b on what a was": "upstream changed",
        "b on unknown": "current",
        "b on gone": "current",
        "of no interest": "current",
        "c on that": "upstream changed",
        "mixed": "changed",
    }


def test_codes_come_back_from_json(executor: StageExecutor) -> None:
    code = run_of(Counter(), seed=4).code
    assert code is not None
    assert decoded(Code, json.loads(json.dumps(encoded(code))), what="", remedy="") == code
