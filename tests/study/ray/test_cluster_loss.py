"""The loss of a cluster, with real processes and sockets in the place of Ray's: what is noticed, said, and ended."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medsearch.core.errors import Interrupted
from medsearch.study.ray import cluster_loss
from medsearch.study.ray.cluster_loss import Joined, loss_of_cluster, monitored, require_cluster
from medsearch.study.ray.interruption import Halt
from tests.chaos.processes import command, wait_for

AGAIN = "what is finished is stored: run the same command again to go on"


@pytest.fixture
def processes() -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    made = {kind: subprocess.Popen(["sleep", "60"]) for kind in ("raylet", "gcs_server", "log_monitor")}
    yield made
    for process in made.values():
        process.kill()
        process.wait()


def node_of(processes: dict[str, "subprocess.Popen[bytes]"]) -> Any:
    return SimpleNamespace(all_processes={kind: [SimpleNamespace(process=p)] for kind, p in processes.items()})


def lost(seconds: float = 10.0) -> str:
    """What `require_cluster` says once it says something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            require_cluster()
        except Halt as halt:
            return f"{type(halt.error).__name__}: {halt.error}".removeprefix("Interrupted: ")
        time.sleep(0.05)
    return ""


@pytest.mark.parametrize(("kind", "number"), [("raylet", signal.SIGKILL), ("gcs_server", signal.SIGTERM)])
def test_each_process_of_an_embedded_cluster_is_missed(
    processes: dict[str, "subprocess.Popen[bytes]"], kind: str, number: signal.Signals
) -> None:
    with monitored(node_of(processes), embedded=True):
        processes["log_monitor"].kill()
        assert lost(2.5) == "", "a study can do without it"
        processes[kind].send_signal(number)
        said = lost()
        for process in processes.values():  # Ray's own would look for each other for a minute
            process.wait(timeout=5)
    assert said.startswith(f"the {kind} of this study's Ray cluster (process {processes[kind].pid}) ")
    assert ("by SIGKILL" if number is signal.SIGKILL else "by SIGTERM") in said
    assert said.endswith(AGAIN)
    require_cluster()  # of another cluster nothing is known


def test_an_error_is_the_cluster_s_if_it_has_just_died_and_else_its_own(
    processes: dict[str, "subprocess.Popen[bytes]"],
) -> None:
    with monitored(node_of(processes), embedded=True):
        with pytest.raises(KeyError), loss_of_cluster():
            raise KeyError
        processes["raylet"].kill()
        processes["raylet"].wait()
        with pytest.raises(Halt, match="the raylet of"), loss_of_cluster():
            raise KeyError


def test_what_ends_while_ray_is_shut_down_is_no_loss(processes: dict[str, "subprocess.Popen[bytes]"]) -> None:
    with monitored(node_of(processes), embedded=True) as monitor:
        monitor.leave()
        processes["raylet"].kill()
        assert lost(2.0) == ""


HELD = """
import subprocess, sys, threading
from types import SimpleNamespace
from medsearch.study.ray import cluster_loss
cluster_loss.GRACE = 0.5
alone = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # else it holds the pipes of this process
raylet, gcs, agent = (subprocess.Popen(["sleep", "60"], **alone) for _ in range(3))
kinds = {"raylet": raylet, "gcs_server": gcs, "agent": agent}
print(raylet.pid, agent.pid, flush=True)
node = SimpleNamespace(all_processes={kind: [SimpleNamespace(process=p)] for kind, p in kinds.items()})
with cluster_loss.monitored(node, embedded=True) as monitor:
    try:
        gcs.kill()
        if sys.argv[1] == "in a call":
            threading.Event().wait()
        while True:
            cluster_loss.require_cluster()
    finally:
        monitor.leave()
        threading.Event().wait()
"""


@pytest.mark.parametrize("where", ["in a call", "while it leaves"])
def test_a_main_thread_that_ray_holds_is_ended_with_the_line(where: str) -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HELD, where], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == Interrupted.exit_code == 130
    assert done.stderr.startswith("medsearch: the gcs_server of this study's Ray cluster (process ")
    assert done.stderr.endswith(f"{AGAIN}\n")
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began < 15
    for pid in map(int, done.stdout.split()):
        wait_for(lambda pid=pid: not command(pid), "the end of what Ray would leave for a minute", seconds=5)  # type: ignore[misc]


def test_a_joined_head_may_be_away_for_a_while_and_then_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_loss, "PATIENCE", 3.0)
    monkeypatch.setattr(cluster_loss, "LOOK", 0.2)
    head = socket.create_server(("127.0.0.1", 0))
    port = head.getsockname()[1]
    with monitored(SimpleNamespace(gcs_address=f"127.0.0.1:{port}", raylet_socket_name="/none"), embedded=False):
        assert lost(1.0) == ""
        head.close()
        assert lost(1.5) == "", "it may be restarted"
        head = socket.create_server(("127.0.0.1", port))
        assert lost(4.0) == "", "it was"
        head.close()
        assert lost().startswith(f"the head of the Ray cluster, 127.0.0.1:{port}, does not answer (")


def test_the_raylet_that_was_joined_is_known_by_its_socket(tmp_path: Path) -> None:
    listen = f"""
        import socket, time
        with socket.socket(socket.AF_UNIX) as it:
            it.bind({str(tmp_path / "raylet")!r}); it.listen(); print(flush=True); time.sleep(60)
    """
    raylet = subprocess.Popen([sys.executable, "-c", textwrap.dedent(listen)], stdout=subprocess.PIPE)
    assert raylet.stdout is not None
    raylet.stdout.readline()
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        joined = Joined.by(SimpleNamespace(gcs_address=address, raylet_socket_name=str(tmp_path / "raylet")))
        assert joined.raylet == raylet.pid != os.getpid()
        assert joined.missing() == ""
        raylet.kill()
        raylet.wait()
        assert joined.missing() == f"the raylet that this study had joined (process {raylet.pid}) has ended"


def test_where_the_system_names_no_process_of_a_socket_the_head_alone_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has neither the option nor a file system of processes."""
    monkeypatch.delattr(socket, "SO_PEERCRED")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with (
        socket.create_server(("127.0.0.1", 0)) as head,
        socket.create_server(str(tmp_path / "raylet"), family=socket.AF_UNIX),
    ):
        host, port = head.getsockname()
        joined = Joined.by(SimpleNamespace(gcs_address=f"{host}:{port}", raylet_socket_name=str(tmp_path / "raylet")))
        assert joined.raylet is None
        assert joined.missing() == ""
        assert Joined(head=(host, port), raylet=os.getpid()).missing() == "", "it lives"


def test_a_start_that_never_ends_is_ended_with_a_line() -> None:
    held = """
import threading
from medsearch.study.ray import cluster_loss
cluster_loss.START = 1.0
with cluster_loss.started_in_time():
    pass
with cluster_loss.started_in_time():
    threading.Event().wait()
"""
    done = subprocess.run([sys.executable, "-c", held], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"medsearch: Ray has not started within 1 s; {cluster_loss.REMEDY}\n"
