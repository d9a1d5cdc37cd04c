"""CSV that no spreadsheet computes, and that comes back as it was written."""

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medsearch.core.spreadsheets import csv_text, read_csv

BEGINNINGS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "－", " =", "'=", "''+", "'", ""]
TEXTS = st.builds(str.__add__, st.sampled_from(BEGINNINGS), st.text(st.characters(exclude_categories=["Cs"])))
NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans())


def cells_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
@example([("+ input addition", "-cmd|' /C calc'!A0")])
@example([("a\rb", "=1")])
def test_no_text_acts_as_a_formula_and_every_text_comes_back(rows: list[tuple[str, str]]) -> None:
    text = csv_text([("row", "reason"), *rows])
    for line in cells_of(text):
        assert not any(re.match(r"[=+\-@\t\r\n]", cell) for cell in line)
    assert [tuple(line.values()) for line in read_csv(text)] == rows


@given(st.lists(NUMBERS, min_size=1))
@example([-0.5, -1, float("-inf")])
def test_numbers_are_left_alone(values: list[float]) -> None:
    (line,) = cells_of(csv_text([values]))
    assert line == [str(value) for value in values]


def test_numbers_of_numpy_are_numbers_and_nothing_is_empty() -> None:
    assert csv_text([(np.float64(-0.25), np.int64(-3), None, "-0.25")]) == "-0.25,-3,,'-0.25\n"


@pytest.mark.parametrize("heading", ["=1", "@x", "a"])
def test_a_heading_is_a_text_too(heading: str) -> None:
    (line,) = read_csv(csv_text([[heading], [-1]]))
    assert line == {heading: "-1"}


def test_what_is_no_text_is_written_as_one() -> None:
    assert csv_text([[["-a"], {"=b": 1}]]) == "['-a'],{'=b': 1}\n"
