"""A Ray cluster of several nodes on this machine, each a `ray start` of its own; who joins must have its token."""

import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .processes import descendants, free_port, kill_tree, named, title, wait_for

MEMORY = 80_000_000  # bytes of shared memory a node; results are a few numbers


@dataclass
class Raylets:
    """Nodes by name; the first one, "head", holds the cluster's own records and is never killed.

    environment: of the nodes and so of their workers. unseen: folders in place of which every node but the head sees an
    empty one of its own, as if they were on the head's disk; this needs root.
    """

    environment: Mapping[str, str]
    cpus: float = 1
    gpus: float = 1
    unseen: tuple[Path, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    port: int = field(default_factory=free_port)
    nodes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ray-")))  # short: it holds sockets

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def joining(self) -> dict[str, str]:
        """What a driver's environment must say."""
        return {"RAY_AUTH_TOKEN": self.token}

    @classmethod
    @contextmanager
    def running(
        cls, environment: Mapping[str, str], *, cpus: float = 1, gpus: float = 1, unseen: tuple[Path, ...] = ()
    ) -> Iterator["Raylets"]:
        """Two nodes, which are gone afterwards, with all that they started."""
        made = cls(environment, cpus, gpus, unseen)
        try:
            made.start("head")
            made.start("second")
            yield made
        finally:
            for process in made.nodes.values():
                kill_tree(process.pid)
                process.wait()
            shutil.rmtree(made.folder, ignore_errors=True)

    def start(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a node, after those that are being started: several at once on one machine get stuck.

        It may take a few seconds to be part of the cluster.
        """
        for other in self.nodes:
            wait_for(lambda other=other: self._started(other), f"the start of node {other}")  # type: ignore[misc]
        where = ["--head", f"--port={self.port}", f"--temp-dir={self.folder}", "--include-dashboard=false"]
        if name != "head":
            where = [f"--address={self.address}"]
        sizes = [f"--num-cpus={self.cpus}", f"--num-gpus={self.gpus}", f"--object-store-memory={MEMORY}"]
        command = ["start", "--block", "--node-ip-address=127.0.0.1", f"--node-name={name}", *where, *sizes]
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token, "RAY_USAGE_STATS_ENABLED": "0"}
        with self._log(name).open("wb") as log:
            self.nodes[name] = subprocess.Popen(
                [
                    *(_hiding(self.unseen) if self.unseen and name != "head" else ()),
                    str(Path(sys.executable).with_name("ray")),
                    *command,
                ],
                env={**os.environ, **self.environment, **auth, **(environment or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _started(self, name: str) -> bool:
        return self.nodes[name].poll() is not None or b"Ray runtime started" in self._log(name).read_bytes()

    def training(self) -> list[int]:
        """Worker processes that are at work, for all that their titles say."""
        found = (pid for node in self.nodes.values() for pid in descendants(node.pid))
        return [pid for pid in found if ".train" in title(pid)]

    def cut_power(self, name: str) -> None:
        """Everything on the node is gone at once."""
        process = self.nodes.pop(name)
        kill_tree(process.pid)
        process.wait()

    def kill_raylet(self, name: str) -> None:
        """The node's own process dies; its workers find themselves alone."""
        wait_for(lambda: self._started(name), f"the start of node {name}")
        process = self.nodes.pop(name)
        os.kill(named(process.pid, "raylet/raylet"), 9)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            kill_tree(process.pid)
            process.wait()


def _hiding(folders: Iterable[Path]) -> list[str]:
    """What to put before a command that shall see `folders` empty."""
    mounts = [f"mount -t tmpfs -o mode=700 none {shlex.quote(str(folder))}" for folder in folders]
    return ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]
