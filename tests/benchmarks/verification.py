"""How long does it take to verify a home with a thousand stages, cold and when nothing has changed since?

    python -m tests.benchmarks.verification [--stages 1000] [--megabytes 1.0]

Writes stages with weights of that size, a picture, a journal and a manifest with the scores of 37 cases, and times,
each in a process of its own: all of the home read, all of it looked at again, what a plan and a report ask (every
manifest, with and without the index), what a stage asks of the stage that it takes, and the reading of a large array.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from medsearch.cli.verification import verify
from medsearch.core.contents import Content, content_of, verified_in
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store

CASES = {f"case-{number:03d}": {"test/dice": 0.1234567 * number, "test/assd": 1.7654 * number} for number in range(37)}


def write(home: Path, stages: int, size: int) -> None:
    """A home with so many stages, each with weights of `size` bytes."""
    store = Store(home / "stages")
    for number in range(stages):
        key = f"{number:016x}"
        for epoch in range(1, 11):
            store.record(key, Epoch(epoch, {"validation/dice": 0.1 * epoch}), seconds=1.0, time=float(epoch))
        aside = store.aside(key)
        (aside / "weights.safetensors").write_bytes(os.urandom(size))
        (aside / "pictures").mkdir()
        (aside / "pictures" / "predictions.png").write_bytes(os.urandom(20_000))
        manifest = Manifest(stage="made-up", node="test", recipe={"epochs": 10}, metrics={"test/dice": 0.5})
        store.commit(key, replace(manifest, seconds=10.0, notes={"cases": CASES}))
    for record in (home / "stages").glob(".verified-*"):
        record.unlink()


def everything(home: Path) -> None:
    """As `medsearch verify` does."""
    assert not verify(home, Store(home / "stages"), again=True).findings


def unchanged(home: Path) -> None:
    """As `medsearch verify --quick` does."""
    assert not verify(home, Store(home / "stages"), again=False).findings


def manifests(home: Path) -> None:
    """What a plan and a report ask of the store."""
    store = Store(home / "stages")
    assert all(store.has(key) for key in store.summaries())


def taken(home: Path) -> None:
    """What each of a hundred stages asks of the one that it takes."""
    store = Store(home / "stages")
    assert all(store.whole(f"{number:016x}") for number in range(100))


def array(home: Path) -> None:
    """One prepared array, at its use."""
    size, digest = json.loads((home / "wanted.json").read_text())
    assert not verified_in(home).problem("image.npy", Content(size, digest))


def made(home: Path) -> None:
    """The same array's digest, when it was made."""
    content = content_of(home / "image.npy")
    (home / "wanted.json").write_text(json.dumps([content.size, content.digest]))


def _timed(what: Callable[[Path], None], home: Path, answers: "multiprocessing.Queue[float]") -> None:
    began = time.perf_counter()
    what(home)
    answers.put(time.perf_counter() - began)


def seconds(what: Callable[[Path], None], home: Path) -> float:
    """Of `what`, in a process of its own that has everything imported."""
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=_timed, args=(what, home, answers))
    process.start()
    found = answers.get(timeout=3600)
    process.join()
    return found


def main() -> None:
    """Write, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=1.0, help="of each stage's weights")
    parser.add_argument("--array", type=int, default=512, metavar="MB", help="of the large array")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        began = time.perf_counter()
        write(home, options.stages, int(options.megabytes * 1e6))
        size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
        say(f"{options.stages} stages, {size / 1e9:.2f} GB, written and noted in {time.perf_counter() - began:.1f} s")
        say(f"a plan's and a report's look at all manifests, without an index: {seconds(manifests, home):.2f} s")
        say(f"                                               with the index: {seconds(manifests, home):.2f} s")
        say(f"a hundred stages' look at what they take, cold:   {seconds(taken, home):.2f} s")
        say(f"                                          cached: {seconds(taken, home):.2f} s")
        say(f"medsearch verify, all of it read:                 {seconds(everything, home):.2f} s")
        say(f"medsearch verify --quick, nothing has changed:    {seconds(unchanged, home):.2f} s")
        np.save(home / "image.npy", np.zeros(options.array << 19, np.float16))
        say(f"an array of {options.array} MB, its digest when it is made:  {seconds(made, home):.2f} s")
        say(f"                            verified at first use:   {seconds(array, home):.2f} s")
        say(f"                            verified after that:     {seconds(array, home):.4f} s")


def say(line: str) -> None:
    """A line, now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
