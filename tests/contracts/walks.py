"""Every method that is shipped, and what its own tests say of its knobs: found, so that none is listed here."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from medsearch import methods
from medsearch.stages.method import Method
from tests.walk import Walk

TESTS = Path(__file__).parents[1]


def shipped() -> Iterator[Method]:
    """The values that the packages of methods offer."""
    for found in walk_packages(methods.__path__, f"{methods.__name__}."):
        if found.ispkg:
            for value in vars(import_module(found.name)).values():
                if isinstance(value, Method):
                    yield value


METHODS: tuple[Method, ...] = tuple({str(method): method for method in shipped()}.values())
WALKS: dict[str, Walk] = {}
for _file in sorted((TESTS / "methods").rglob("walk.py")):
    WALKS |= import_module(".".join(("tests", *_file.relative_to(TESTS).with_suffix("").parts))).WALKS
