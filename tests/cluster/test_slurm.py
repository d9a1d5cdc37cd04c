"""The job that Slurm runs, with a pretended Slurm: what it starts, and how it ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "cluster" / "study.sbatch"

STUBS = {
    # As srun: its options are its own, the rest is done here and now.
    "srun": """
while [ $# -gt 0 ]; do
    case $1 in -w) shift 2 ;; --*) shift ;; *) break ;; esac
done
echo "$*" >>"$LOG"
exec "$@"
""",
    "scontrol": "printf 'one\\ntwo\\n'",
    "ray": "true",
    "sleep": "exec /bin/sleep 0.5",
    # A study takes a moment to stop, and wants its token until then.
    "python": """
if [ "$1" = -c ]; then printf secret-of-32-bytes; exit; fi
stat -c "token %a" "$RAY_AUTH_TOKEN_PATH" >>"$LOG"
trap '/bin/sleep 1; echo "stopped with $(cat "$RAY_AUTH_TOKEN_PATH")" >>"$LOG"; exit 130' TERM
mkdir -p "$NODE_CACHE"
echo begun >>"$LOG"
for _ in $(seq "$LASTS"); do /bin/sleep 0.1; done
exit 3
""",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    for name, text in STUBS.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (folder / name).chmod(0o755)
    (folder / "activate").write_text(f"PATH={folder}:$PATH\n")
    given = {
        "SLURM_SUBMIT_DIR": tmp_path,
        "VENV": tmp_path / "venv",
        "NODE_CACHE": tmp_path / "cache",
        "LOG": tmp_path / "log",
        "SLURM_JOB_ID": 7,
        "SLURM_JOB_NODELIST": "one,two",
        "SLURM_JOB_NUM_NODES": 2,
        "SLURM_CPUS_PER_TASK": 4,
    }
    return {**os.environ, **{name: str(value) for name, value in given.items()}}


def begin(environment: dict[str, str], lasts: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["bash", str(SCRIPT), "study.py", "--scale", "tiny"], env={**environment, "LASTS": str(lasts)}
    )


def log(tmp_path: Path) -> list[str]:
    path = tmp_path / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_the_study_is_told_to_stop_and_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    job = begin(environment, lasts=600)
    end = time.monotonic() + 30
    while "begun" not in log(tmp_path):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)  # it listens from right after it has begun the study
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 130
    assert "stopped with secret-of-32-bytes" in log(tmp_path)


def test_it_starts_ray_on_every_node_and_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    assert begin(environment, lasts=1).wait(30) == 3
    head, others, study, *_, last = log(tmp_path)
    assert head == "ray start --head --port=6379 --num-cpus=4 --block"
    assert others == "ray start --address=one:6379 --num-cpus=4 --block"
    cache = tmp_path / "cache"
    assert study == f"python study.py --scale tiny --address one:6379 --home {tmp_path / 'runs'} --cache {cache}"
    assert last == f"rm -rf {cache}"
    assert not cache.exists()
    assert list((tmp_path / "runs").iterdir()) == []


def test_nobody_can_take_its_names_first_or_read_its_token(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["NODE_CACHE"]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".ray-token-7").symlink_to(tmp_path / "settings")
    assert begin({**environment, "SLURM_TMPDIR": str(tmp_path)}, lasts=1).wait(30) == 3
    (study,) = [line for line in log(tmp_path) if line.startswith("python study.py")]
    assert study.endswith(f" --cache {tmp_path}/medsearch-7-secret-of-32-byt")
    assert "token 600" in log(tmp_path)
    assert not (tmp_path / "settings").exists()


def test_a_home_that_it_makes_is_its_user_s_alone(environment: dict[str, str], tmp_path: Path) -> None:
    assert begin(environment, lasts=1).wait(30) == 3
    assert (tmp_path / "runs").stat().st_mode & 0o7777 == 0o700
