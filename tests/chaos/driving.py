"""A study's driver: the study file as a process of its own, killed and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STUDIES = Path(__file__).parent / "studies"


@dataclass
class Driver:
    """file: of the study. options: its command line. All its lives write into one log in the home."""

    file: Path
    options: Sequence[str]
    environment: Mapping[str, str]
    home: Path
    lives: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.home / "driver.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.file), *self.options],
                env={**os.environ, **self.environment, "PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.lives += 1

    @property
    def over(self) -> int | None:
        """Its exit code; None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def abort(self) -> None:
        """Where it hangs is then written in its log."""
        assert self.process is not None
        self.process.send_signal(signal.SIGABRT)
        self.process.wait()

    def kill(self) -> None:
        """At once, as the kernel does when memory is short: what it started is left alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
