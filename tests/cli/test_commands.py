"""The `medsearch` command: what it prints, where, and its exit codes."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from medsearch.cli import main
from medsearch.cli.exits import exits
from medsearch.core.errors import BadInput, Diverged, Interrupted


def call(*arguments: object) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_phantom_that_it_wrote_passes_its_own_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("phantom", "brats2020", tmp_path / "p", "--cases", 4, "--spacing", 8, "--seed", 5) == 0
    assert call("check", tmp_path / "p") == 0
    assert "4 cases, 0 faulty, 0 findings" in capsys.readouterr().out


def test_a_check_names_the_fault_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("phantom", "brats2020", tmp_path / "p", "--cases", 4, "--spacing", 8)
    case = sorted(path for path in (tmp_path / "p").iterdir() if path.is_dir())[1]
    (case / f"{case.name}_flair.nii.gz").unlink()
    assert call("check", tmp_path / "p") == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert case.name in lines[0]
    assert "flair" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nowhere"), ""),
        (("check", ".", "--layout", "brats2O20"), "brats2020"),
        (("phantom", "crossmoda", "x"), "brats2020"),
        (
            ("phantom", "brats2020", "x", "--cases", "0"),
            "knob 'cases' of PhantomSpec takes an integer of 1 or more, got 0",
        ),
        (("report", "no_such_study"), "no_such_study"),
        (("sync", "no_such_study"), "no_such_study"),
        (("ui",), "no tracking database"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) <= 1
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a\nb"), 2),
        (Diverged("loss"), 1),
        (Interrupted("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 2),
    ],
)
def test_errors_become_one_line_and_a_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exits():
        raise error
    assert end.value.code == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(("raised", "code", "lines"), [("BadInput('no knob')", 2, 1), ("ValueError('a bug')", 1, 4)])
def test_a_study_file_that_is_wrong_when_it_is_loaded(raised: str, code: int, lines: int, tmp_path: Path) -> None:
    file = tmp_path / "study.py"
    file.write_text(f"from medsearch.cli import run\nfrom medsearch.core.errors import BadInput\nraise {raised}\n")
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert len(done.stderr.strip().splitlines()) == lines


def test_a_wrong_study_file_has_its_exit_code_also_where_nobody_can_be_told(tmp_path: Path) -> None:
    file = tmp_path / "study.py"
    file.write_text("from medsearch.cli import run\nfrom medsearch.core.errors import BadInput\nraise BadInput('λ')\n")
    assert (
        subprocess.run(["bash", "-c", 'exec "$@" >&- 2>&-', "bash", sys.executable, file], check=False).returncode == 2
    )
    full = subprocess.run(["bash", "-c", 'exec "$@" >/dev/full 2>&1', "bash", sys.executable, file], check=False)
    assert full.returncode == 2


def test_a_reader_that_has_gone_hears_nothing_and_is_not_told_that_all_is_well(tmp_path: Path) -> None:
    command = f"sleep 0.1; exec {sys.executable} -c 'from medsearch.cli import main; main()' check {tmp_path}"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_bug_is_not_hidden_behind_a_message() -> None:
    with pytest.raises(ZeroDivisionError), exits():
        raise ZeroDivisionError
