"""The guide for contributors names files and things that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:medsearch|tests|studies)/[\w/.]*)`", GUIDE)))
NAMES = sorted(set(re.findall(r"`([A-Z]\w+)` in `(medsearch/[\w/.]+)`", GUIDE)))


@pytest.mark.parametrize("path", PATHS)
def test_every_file_that_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_every_class_that_it_names_is_in_its_file(name: str, path: str) -> None:
    assert re.search(rf"^class {name}\b", (ROOT / path).read_text(), re.MULTILINE)


def test_every_floor_has_its_line() -> None:
    floors = {path.parent.name for path in (ROOT / "medsearch").glob("*/__init__.py")}
    assert floors == set(re.findall(r"`medsearch/(\w+)/`", GUIDE.split("## Three ways")[0]))
