"""Cores are what a process may keep busy, not what the machine has."""

import os
import threading
from pathlib import Path

import pytest

from medsearch.core import machine
from medsearch.core.machine import concurrently, cores


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")


def group(root: Path, own: str, files: dict[str, str]) -> None:
    (root / "own").write_text(own)
    for name, content in files.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("own", "files", "found"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/job/step\n", {"job/cpu.max": "200000 100000\n", "job/step/cpu.max": "max 100000\n"}, 2),
        ("0::/job/step\n", {"job/cpu.max": "800000 100000\n", "job/step/cpu.max": "600000 100000\n"}, 6),
        ("0::/kubepods/pod1\n", {"cpu.max": "300000 100000\n"}, 3),  # a container that sees its own group as the root
        ("0::/\n", {"cpu.max": "nonsense\n"}, 16),
        ("4:cpu,cpuacct:/docker/x\n0::/\n", {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 16),
    ],
)
def test_a_quota_of_cpu_time_counts(own: str, files: dict[str, str], found: int, tmp_path: Path) -> None:
    group(tmp_path, own, files)
    assert cores() == found


def test_the_least_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cores() == 16  # no control groups at all
    group(tmp_path, "0::/\n", {"cpu.max": "800000 100000\n"})
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    assert cores() == 4
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "32")
    assert cores() == 8
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "many")
    assert cores() == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert cores() == 1


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
