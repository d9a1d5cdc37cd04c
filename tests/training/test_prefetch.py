import threading
from collections.abc import Iterator

import numpy as np
import pytest

from medsearch.training.prefetch import prefetched


def drawn(rng: np.random.Generator, used: list[threading.Thread]) -> Iterator[float]:
    for _ in range(5):
        used.append(threading.current_thread())
        yield rng.random()


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_the_items_are_the_same_in_the_same_order(device: str) -> None:
    used: list[threading.Thread] = []
    found = list(prefetched(drawn(np.random.default_rng(0), used), device))
    assert found == np.random.default_rng(0).random(5).tolist()
    assert (used[0] is threading.current_thread()) is (device == "cpu")


def test_one_is_made_ahead_and_no_more() -> None:
    made: list[int] = []

    def counted() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    items = prefetched(counted(), "cuda")
    assert next(items) == 0
    items.close()
    assert made == [0, 1]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_error_arrives_where_the_items_are_used(device: str) -> None:
    def broken() -> Iterator[int]:
        yield 1
        int("x")

    items = prefetched(broken(), device)
    assert next(items) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(items)


def test_false_items_do_not_end_it() -> None:
    assert list(prefetched(iter([0, None, ""]), "cuda")) == [0, None, ""]
