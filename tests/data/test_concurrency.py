import threading

import pytest

from medsearch.data.concurrency import concurrently


def test_results_come_in_order() -> None:
    assert list(concurrently(lambda number: number**2, range(20))) == [number**2 for number in range(20)]
    assert list(concurrently(lambda number: number, [])) == []


def test_an_error_reaches_the_caller_and_stops_the_rest() -> None:
    begun: list[int] = []
    release = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            release.set()
            msg = "broken"
            raise ValueError(msg)
        release.wait(10)
        return number

    with pytest.raises(ValueError, match="broken"):
        list(concurrently(work, range(5000)))
    assert len(begun) < 5000


def test_leaving_early_begins_nothing_further() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number > 0:
            gate.wait(10)
        return number

    results = concurrently(work, range(500))
    assert next(results) == 0
    threading.Timer(0.05, gate.set).start()
    results.close()
    assert len(begun) < 10
