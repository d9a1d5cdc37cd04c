"""Work on many files at once, in threads: reading, unpacking and hashing leave Python's lock alone."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from medsearch.core.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKERS = 2
"""Volumes are large, and the machine may be shared: more threads would cost memory before they save time."""


def concurrently(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result of `work` on every item, in order. Left early (an error, Ctrl-C), it begins no further item."""
    pool = ThreadPoolExecutor(max_workers=min(_WORKERS, cores()))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
