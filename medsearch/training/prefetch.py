"""The next batch is cut and augmented while a GPU works on the last."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def prefetched(items: Iterator[Item], device: str) -> Iterator[Item]:
    """The same items; away from the CPU, each is made in the background while its predecessor is used.

    One thread draws them all in order, so random numbers fall as they would without it. On a CPU the cores are busy.
    """
    if device == "cpu":
        yield from items
        return
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(_one, items)
        while got := coming.result():
            coming = thread.submit(_one, items)
            yield got[0]


def _one(items: Iterator[Item]) -> tuple[Item] | None:
    for item in items:
        return (item,)
    return None
