"""Numbers of a stage that tests hold: one step, or one pass, from given weights on given slices or crops.

When they move, results in users' stores are no longer what the code would train: raise the stage's `version`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

Numbers = dict[str, float]

LOOSE = ("then ", "validation/dice", "test/")
"""After a step of Adam, which is the sign of a gradient; thresholded."""


def compare(expected: Numbers, found: Numbers, *, stage: str, case: str, where: str) -> None:
    """Fail, with what to write instead, if a number is not what it was."""
    moved = {name: value for name, value in found.items() if not close(name, value, expected.get(name))}
    were = {name: expected.get(name) for name in moved}
    assert not moved, (
        f"the numbers of stage {stage!r} moved (now {moved}, before {were}): raise its `version` in {where}, and hold "
        f"the new ones here: {case!r}: {rounded(found)}"
    )
    assert set(found) == set(expected)


def close(name: str, value: float, expected: float | None) -> bool:
    tolerance = {"abs": 1e-3, "rel": 1e-2} if name.startswith(LOOSE) else {"abs": 1e-5, "rel": 1e-3}
    return expected is not None and value == pytest.approx(expected, **tolerance)


def rounded(found: Numbers) -> Numbers:
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def two_steps(steps: Iterator[Any]) -> Numbers:
    first, second = (next(steps) for _ in range(2))
    return {
        **{name: value.item() for name, value in first.items()},
        **{f"then {name}": value.item() for name, value in second.items()},
    }
