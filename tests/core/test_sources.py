"""What changes the digest of a piece of a program and what does not, and which definitions it stands on."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core import sources
from medsearch.core.sources import Source, Tree, closure

PROGRAM = {
    "own/__init__.py": '"""A package."""\n\nfrom own.losses import dice\n\n__all__ = ["dice"]\n',
    "own/stage.py": """
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from own import deep, dice
from own.base import Base

if TYPE_CHECKING:
    from own.checkers import Only

RATE = 0.1


@dataclass(frozen=True)
class Stage(Base):
    \"\"\"Trains.\"\"\"

    steps: int = 3

    def train(self, of: "Only", scale=1.0):
        from .training import loop

        return loop(dice, self.steps + 1, rate=RATE * scale) + math.pi + deep.inner.down()


def helper():
    return 1
""",
    "own/base.py": "from own.registry import register\n\n\n@register\nclass Base:\n    pass\n",
    "own/registry.py": "KNOWN = []\n\n\ndef register(kind):\n    KNOWN.append(kind)\n    return kind\n",
    "own/losses.py": """
def dice(a, b, smooth=1e-5):
    return 2 * a * b / (a + b + smooth)


def other():
    return 0
""",
    "own/training.py": """
import importlib


def loop(loss, steps, rate):
    return importlib.import_module('own.lazy').step(loss)
""",
    "own/lazy.py": "def step(loss):\n    return loss(1, 2)\n",
    "own/checkers.py": "class Only:\n    pass\n",
    "own/unrelated.py": "def nothing():\n    return 0\n",
    "own/deep/__init__.py": "from own.deep import inner\n\nprint('imported')\n",
    "own/deep/inner.py": "from .. import constants\n\n\ndef down():\n    return constants.DEPTH\n",
    "own/constants.py": "DEPTH = 3\n",
    "tests/test_own.py": "def test_it():\n    assert True\n",
}
MODULES = {
    *("own.stage", "own.base", "own.registry", "own.losses", "own.training", "own.lazy", "own.deep", "own.deep.inner"),
    *("own", "own.constants"),
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def digests(folder: Path, files: Mapping[str, str] = PROGRAM) -> dict[str, str]:
    sources.forget()
    return closure({"own.stage": ["Stage"]}, [Tree(write(folder, files), "own")])


def changed(tmp_path: Path, file: str, old: str, new: str) -> set[str]:
    """The modules whose digests an edit changes."""
    before = digests(tmp_path / "a")
    assert PROGRAM[file].count(old) == 1
    after = digests(tmp_path / "b", {**PROGRAM, file: PROGRAM[file].replace(old, new)})
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_it_goes_down_to_what_is_used_and_no_further(tmp_path: Path) -> None:
    assert digests(tmp_path).keys() == MODULES


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("own/stage.py", "RATE = 0.1\n", "RATE = 0.1  # per step\n"),
        ("own/stage.py", '"""Trains."""', '"""Trains for a while."""'),
        ("own/stage.py", '    """Trains."""\n\n', ""),
        ("own/stage.py", "\n\n\n@dataclass", "\n\n\n\n\n@dataclass"),
        ("own/stage.py", "self.steps + 1", "(\n            self.steps\n            + 1\n        )"),
        ("own/stage.py", "import deep, dice\n", "import (\n    dice,\n    deep,\n)\n"),
        ("own/stage.py", "import math\n", "import math\nimport os\n"),
        ("own/stage.py", "def helper():\n    return 1", "def helper():\n    return 2"),
        ("own/stage.py", "    from own.checkers import Only\n", "    from own.checkers import Only as Other\n"),
        ("own/losses.py", "def other():\n    return 0", "def other():\n    return 1"),
        ("own/losses.py", "1e-5", "0.00001"),
        ("own/base.py", "    pass\n", '    """Nothing."""\n'),
        ("own/__init__.py", '"""A package."""', '"""The package."""'),
        ("own/__init__.py", '__all__ = ["dice"]', '__all__ = ["dice", "losses"]'),
        ("own/checkers.py", "pass", "x = 1"),
        ("own/unrelated.py", "return 0", "return 1"),
        ("own/unrelated.py", "return 0", "return ("),
        ("tests/test_own.py", "assert True", "assert 1"),
    ],
)
def test_edits_that_change_nothing(tmp_path: Path, file: str, old: str, new: str) -> None:
    assert changed(tmp_path, file, old, new) == set()


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
@pytest.mark.parametrize("branch", ["else:", "elif True:"])
@pytest.mark.parametrize("place", ["", "    "], ids=["at the top", "in a class"])
def test_what_is_run_where_only_type_checkers_see_the_rest_counts(
    tmp_path: Path, test: str, branch: str, place: str
) -> None:
    def program(folder: str, checked: str, run: str) -> dict[str, str]:
        lines = [
            f"if {test}:",
            f"    from own.checkers import {checked}",
            branch,
            "    from own.losses import dice",
            run,
        ]
        head = "import typing\nfrom typing import TYPE_CHECKING\n"
        body = "".join(f"{place}{line}\n" for line in lines)
        text = f"{head}{body}class Stage:\n    loss = dice, RATE\n" if not place else f"{head}class Stage:\n{body}"
        return digests(tmp_path / folder, {**PROGRAM, "own/stage.py": text})

    first = program("a", "Only", "    RATE = 1")
    assert program("b", "Only as dice", "    RATE = 1") == first
    assert first.keys() == {"own.stage", "own.losses"}
    changed = program("c", "Only", "    RATE = 2")
    assert {name for name in first if changed[name] != first[name]} == {"own.stage"}


@pytest.mark.parametrize(
    ("file", "old", "new", "module"),
    [
        ("own/stage.py", "RATE = 0.1", "RATE = 0.2", "own.stage"),
        ("own/stage.py", "scale=1.0", "scale=2.0", "own.stage"),
        ("own/stage.py", "steps: int = 3", "steps: int = 4", "own.stage"),
        ("own/stage.py", "self.steps + 1", "self.steps - 1", "own.stage"),
        ("own/stage.py", "frozen=True", "frozen=False", "own.stage"),
        ("own/stage.py", "import math\n", "import cmath as math\n", "own.stage"),
        ("own/stage.py", "steps: int = 3", "steps: int = True", "own.stage"),
        ("own/losses.py", "2 * a * b", "2 * a + b", "own.losses"),
        ("own/losses.py", "smooth=1e-5", "smooth=1e-6", "own.losses"),
        ("own/losses.py", "    return 2 *", "    a = a\n    return 2 *", "own.losses"),
        ("own/base.py", "@register\n", "", "own.base"),
        ("own/registry.py", "KNOWN.append(kind)", "KNOWN.insert(0, kind)", "own.registry"),
        ("own/training.py", "'own.lazy'", "'own.unrelated'", "own.training"),
        ("own/lazy.py", "loss(1, 2)", "loss(2, 1)", "own.lazy"),
        ("own/lazy.py", "loss(1, 2)", "loss(2, 1", "own.lazy"),
        ("own/deep/__init__.py", "print('imported')", "print('run')", "own.deep"),
        ("own/deep/inner.py", "constants.DEPTH", "-constants.DEPTH", "own.deep.inner"),
        ("own/constants.py", "3", "4", "own.constants"),
        (
            "own/__init__.py",
            "from own.losses import dice",
            "from own.unrelated import nothing as dice",
            "own.unrelated",
        ),
    ],
)
def test_edits_that_change_something_name_the_module(
    tmp_path: Path, file: str, old: str, new: str, module: str
) -> None:
    assert module in changed(tmp_path, file, old, new)


def test_a_module_that_is_run_counts_only_by_what_is_asked_for(tmp_path: Path) -> None:
    text = PROGRAM["own/stage.py"].replace("from .training", "from own.training")
    tree = Tree(write(tmp_path, PROGRAM))

    def of(more: str, **how: bool) -> dict[str, str]:
        return closure({"__main__": ["Stage"]}, [tree], Source((text + more).encode(), **how))

    plain = of("")
    assert plain.keys() == MODULES - {"own.stage"} | {"__main__"}
    assert of("TRIALS = 10\nrun(Stage(), TRIALS)\n") == plain
    assert of("RATE = 0.5\n") != plain
    assert of("RATE = 0.5\n", interactive=True) == closure(
        {"__main__": ["Stage"]}, [tree], Source(text.replace("RATE = 0.1", "RATE = 0.5").encode())
    )


def test_pieces_of_a_session_that_are_no_python_are_passed_over(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    cells = (b"RATE = 1", b"this is no python", b"class Stage:\n    rate = RATE")
    assert closure({"__main__": ["Stage"]}, [tree], Source(*cells, interactive=True)) == closure(
        {"__main__": ["Stage"]}, [tree], Source(cells[0], cells[2], interactive=True)
    )


def test_folders_without_init_and_what_is_not_there(tmp_path: Path) -> None:
    files = {
        "own/stage.py": "from space import mod\nimport gone\nfrom own.stage import lost\nclass Stage:\n    x = mod",
        "space/mod.py": "y = 1\n",
    }
    sources.forget()
    assert closure({"own.stage": ["Stage"]}, [Tree(write(tmp_path, files))]).keys() == {"own.stage", "space.mod"}
    sources.forget()
    assert closure({"own.stage": ["Stage"]}, [Tree(tmp_path, "own")]).keys() == {"own.stage"}
    assert closure({"own.gone": ["Stage"]}, [Tree(tmp_path)]) == {}


def test_whole_modules_count_where_names_cannot_be_seen(tmp_path: Path) -> None:
    for line in ("import own.losses", "from own.losses import *", "from own import losses as x"):
        files = {**PROGRAM, "own/stage.py": f"{line}\n\n\nclass Stage:\n    loss = (own, x, other)\n"}
        before = digests(tmp_path / "a", files)
        more = {**files, "own/losses.py": files["own/losses.py"].replace("return 0", "return 1")}
        assert digests(tmp_path / "b", more) != before, line


def test_the_same_on_every_machine(tmp_path: Path) -> None:
    here = digests(tmp_path / "here")
    assert digests(tmp_path / "another" / "place") == here
    program = (
        "import sys; from pathlib import Path; from medsearch.core.sources import *;"
        "print(closure({'own.stage': ['Stage']}, [Tree(Path(sys.argv[1]), 'own')]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "here")]
    found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.strip() == str(here)


@given(st.permutations(["import a", "import b.c", "from d import e, f", "from . import g"]))
def test_imports_that_stand_together_may_stand_in_any_order(lines: list[str]) -> None:
    def of(lines: list[str]) -> dict[str, str]:
        body = "def train():\n" + "".join(f"    {line}\n" for line in lines) + "    return 1\n"
        return closure({"__main__": ["train"]}, [], Source(body.encode()))

    assert of(lines) == of(["import a, b.c", "from d import f", "from d import e", "from . import g"])
    assert of(lines) != of(lines[1:])
