"""A study as a program of its own, as users run it: under nohup, from cron, into full disks, in a notebook.

One home is shared: a fixture trains, the tests look at what it said, are answered from what it stored, or are refused.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medsearch.cli import main
from medsearch.study.ray import cluster
from tests.chaos.processes import descendants

PROGRAM = Path(__file__).with_name("toy_program.py")
BARE = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TMPDIR", "RAY_TMPDIR")}
BARE["TOY"] = '{"segmentation.seconds": 0.5}'  # one recipe for all that share the home
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a phantom cohort `data`."""
    folder = tmp_path_factory.mktemp("program")
    main(["phantom", "brats2020", str(folder / "data"), "--cases", "5", "--spacing", "4"])
    return folder


@dataclass(frozen=True)
class Ended:
    """How the study ended that was run under nohup. hung_up: processes of its own that were sent SIGHUP."""

    code: int
    out: bytes
    errors: bytes
    hung_up: int


@pytest.fixture(scope="module")
def hung_up(place: Path) -> Ended:
    """The study, run in `place` to its end while all signals that a shell may have set to be ignored are sent."""
    begun = (place / "runs" / "executions.txt").exists
    with subprocess.Popen(
        ["bash", "-c", 'trap "" HUP INT TERM; exec "$@" <&-', "bash", *command(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**BARE, "PYTHONIOENCODING": "latin-1"},
        cwd="/",
    ) as process:
        until = time.monotonic() + 240
        while not begun() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        for name in SIGNALS:
            process.send_signal(name)
        children = descendants(process.pid)
        for child in children:  # as a terminal does to all that it has started
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGHUP)
        out, errors = process.communicate(timeout=240)
    return Ended(process.returncode, out, errors, len(children))


@pytest.fixture(scope="module")
def trained(place: Path, hung_up: Ended) -> Path:
    """`place` with the home `runs`, in which the study has ended."""
    assert hung_up.code == 0, hung_up.errors
    return place


def command(place: Path, *more: str) -> list[str]:
    return [sys.executable, str(PROGRAM), "--home", str(place / "runs"), "--data", str(place / "data"), *more]


def ended(
    place: Path, *more: str, redirected: str = "", environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}; exit ${{PIPESTATUS[0]}}', "bash", *command(place, *more)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**BARE, **(environment or {})},
        cwd="/",
        check=False,
    )


def trials(place: Path) -> int:
    return (place / "runs" / "executions.txt").read_text().count("toy-polish")


@pytest.mark.slow
def test_under_nohup_in_the_background_and_in_latin_1_it_runs_to_its_end(place: Path, hung_up: Ended) -> None:
    """All signals that a shell may have set to be ignored, output that is not UTF-8, a method on its own path."""
    assert hung_up.code == 0, hung_up.errors
    assert hung_up.hung_up > 3, "the sender of runs, Ray's own processes and a worker"
    assert b"died" not in hung_up.out
    assert b"tracking: " in hung_up.out
    assert b"page: " in hung_up.out
    assert rb"\u" in hung_up.out, "what Latin-1 lacks is spelt out"
    assert trials(place) == 2
    assert b"No module" not in hung_up.errors


@pytest.mark.slow
@pytest.mark.parametrize("redirected", ["<&- >&- 2>&-", "> /dev/full", "| head -n 1"])
def test_its_end_does_not_depend_on_who_listens(trained: Path, redirected: str) -> None:
    place = trained
    page = place / "runs" / "studies" / "toy_program" / "report" / "index.html"
    page.unlink()
    found = ended(place, redirected=redirected, environment={"PYTHONIOENCODING": "ascii"})
    assert found.returncode == 0, found.stderr
    assert page.exists()
    assert "Traceback" not in found.stderr
    assert trials(place) == 2


@pytest.mark.slow
def test_a_number_of_trials_that_was_lowered_is_said(trained: Path) -> None:
    place = trained
    found = ended(place, "--trials", "1")
    assert found.returncode == 0, found.stderr
    assert "toy_program: 2 trials are stored, 1 asked for; all 2 count, and no other is tried" in found.stdout
    assert "2 of 1" not in found.stdout
    planned = ended(place, "--trials", "1", "--dry-run")
    assert "2 trials are stored, 1 asked for" in planned.stdout
    assert trials(place) == 2


@pytest.mark.parametrize(
    ("more", "environment", "said"),
    [
        (("--tracking-uri", ""), {}, "--tracking-uri has an empty value; give one, or leave it out"),
        (("--tracking-uri=",), {}, "--tracking-uri has an empty value"),
        (("--store", ""), {}, "--store has an empty value"),
        (("--address", ""), {}, "--address has an empty value"),
        (("--trials", "0"), {}, "trials takes an integer of 1 or more, got 0"),
        (("--trials", "9"), {"TOY": '{"segmentation.epochs": 0}'}, "knob 'segmentation.epochs' takes an integer of 1"),
        (("--trials", "9"), {"TOY": '{"segmentation.seconds": NaN}'}, "knob 'segmentation.seconds' takes a number"),
        (("--trials", "9"), {"TMPDIR": "/tmp/" + "a" * 90}, "TMPDIR is 95 characters, Ray's sockets need "),
        (("--trials", "9"), {"RAY_TMPDIR": "/tmp/" + "λ" * 45}, "RAY_TMPDIR is 95 characters, Ray's sockets need "),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    place: Path, more: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    found = ended(place, *more, environment=environment)
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    assert said in line


def test_the_room_that_is_named_for_sockets_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.utils import validate_socket_filepath

    below = f"/{cluster.FOLDER}12345678/session_2026-11-30_06-58-09_046355_{os.getpid()}/sockets/plasma_store"
    room = cluster.SOCKET - len(below)
    for length, refused in ((room, False), (room + 1, True)):
        folder = "/" + "a" * (length - 1)
        monkeypatch.setenv("RAY_TMPDIR", folder)
        for check in (cluster._short_parent, lambda: validate_socket_filepath(f"{folder}{below}")):  # noqa: B023
            try:
                check()
            except Exception:
                assert refused
            else:
                assert not refused


@pytest.mark.slow
def test_in_a_notebook_it_runs_and_its_errors_are_raised(trained: Path, tmp_path: Path) -> None:
    """A real kernel: arguments that are the kernel's, a running event loop, streams without descriptors."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    home = tmp_path / "runs"
    shutil.copytree(trained / "runs" / "cohorts", home / "cohorts")
    options = ["--home", str(home), "--data", str(trained / "data")]
    cells = [
        f"import sys; sys.path.insert(0, {str(PROGRAM.parents[2])!r})",
        "from dataclasses import replace\nfrom tests.cli.toy_program import STUDY, run\n"
        "def nodes(recipe, selection):\n    yield from STUDY.method.make_nodes(recipe, selection)\n"
        "study = replace(STUDY, method=replace(STUDY.method, make_nodes=nodes), trials=1)",
        f"folder = run(study, {options!r})\nprint('came to', folder.name, (folder / 'report' / 'index.html').exists())",
        "import signal; print('handler', signal.getsignal(signal.SIGINT) is signal.default_int_handler)",
        f"run(study, {[*options, '--trials', '0']!r})",
        f"run(study, {[*options, '--trails', '3']!r})",
        f"import os; os.chdir({str(tmp_path)!r})\nprint('planned', run(study, ['--dry-run']))",
        "import os; os.kill(os.getpid(), 0); print('alive')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=240, kernel_name="python3", allow_errors=True).execute()
    said = [list(cell.outputs) for cell in book.cells]
    assert "came to toy_program True" in text(said[2])
    assert "trial-0000 complete" in text(said[2])
    assert "handler True" in text(said[3])
    for cell, message in ((4, "trials takes an integer of 1 or more, got 0"), (5, "these arguments cannot be used")):
        (error,) = (output for output in said[cell] if output.output_type == "error")
        assert error.ename == "BadInput"
        assert message in error.evalue
    assert "planned None" in text(said[6])
    assert "alive" in text(said[7])


def text(outputs: list[Any]) -> str:
    return "".join(output.get("text", "") for output in outputs)
