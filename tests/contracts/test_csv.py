"""CSV is written in one place, which knows what a spreadsheet takes for a formula."""

import ast
from pathlib import Path

import medsearch

ROOT = Path(medsearch.__file__).parent
WRITERS = {"writer", "DictWriter", "to_csv", "savetxt"}


def test_csv_is_written_in_one_place() -> None:
    writing = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in WRITERS
    }
    assert writing == {"core/spreadsheets.py"}
