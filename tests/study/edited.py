"""A method in a user's own folder, whose files tests edit between two runs of a study."""

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from medsearch.stages.code import forget

METHOD = '''\
"""A toy whose segmentation and polish are the user's own."""

from dataclasses import dataclass, replace
from typing import ClassVar

from medsearch.stages.stage import Epoch, Outcome
from tests.study import toy

from {package}.shift import shift


@dataclass(frozen=True)
class Segmentation(toy.SegmentationStage):
    name: ClassVar[str] = "own-segmentation"

    def train(self, context):
        best = toy.quality(self.recipe.weights) + shift()
        for epoch in self._epochs(context, self.recipe.epochs, self.recipe.seconds):
            yield Epoch(epoch, {{"validation/dice": best * epoch / self.recipe.epochs}})
        return Outcome({{"validation/dice": best}})


def make_nodes(recipe, selection):
    for node in toy.make_nodes(recipe, selection):
        own = node.name == "segmentation"
        yield replace(node, stage=Segmentation(recipe.segmentation)) if own else node


OWN = replace(toy.TOY, make_nodes=make_nodes)
'''
SHIFT = '''\
"""How far off the toy is."""


def shift(by=0.0):
    return by
'''


@dataclass(frozen=True)
class Package:
    """A package on Python's path for as long as a test runs."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def method(self) -> ModuleType:
        """The module `method`, imported anew, as another run of the study does."""
        for name in [name for name in sys.modules if name.partition(".")[0] == self.name]:
            del sys.modules[name]
        importlib.invalidate_caches()
        forget()
        return importlib.import_module(f"{self.name}.method")

    def commit(self) -> str:
        """Commit it to a repository of its own; the commit's hash."""
        named = ("-c", "user.email=a@b", "-c", "user.name=n")
        for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "as it is")):
            subprocess.run(["git", "-C", self.folder, *named, *command], check=True, capture_output=True)
        said = subprocess.run(["git", "-C", self.folder, "rev-parse", "HEAD"], check=True, capture_output=True)
        return said.stdout.decode().strip()

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace `old`, which stands there once, by `new`."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


def written(folder: Path) -> Package:
    """The package in a folder that is on Python's path; its name is that of the folder."""
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / ".gitignore").write_text("__pycache__\n")
    (folder / "method.py").write_text(METHOD.format(package=folder.name))
    (folder / "shift.py").write_text(SHIFT)
    return Package(folder)
