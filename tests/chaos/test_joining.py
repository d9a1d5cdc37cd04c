"""Joining a cluster by its address: with its token only, and only when every node is fit for the study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medsearch import __version__
from medsearch.core.errors import BadInput

from .arena import ROOT, STUDIES, environment
from .heads import write_heads
from .processes import free_port
from .raylets import Raylets

pytestmark = pytest.mark.soak

SHADOWS = {
    "without": "raise ModuleNotFoundError(\"No module named 'medsearch'\")\n",
    "older": f"__version__ = '0.0.7'\n__path__ = [{str(ROOT / 'medsearch')!r}]\n",
}
"""What a node finds as medsearch."""

ENVIRONMENT = environment(Path(), 0.0)

Ask = Callable[[], str]


@pytest.fixture(scope="module")
def raylets() -> Iterator[Raylets]:
    with Raylets.running(ENVIRONMENT, gpus=0) as made:
        yield made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def ask(raylets: Raylets, home: Path) -> Iterator[Ask]:
    """A process that has joined, and says whether all nodes are fit."""
    command = [sys.executable, str(Path(__file__).with_name("joiner.py")), raylets.address, str(home)]
    given = {**os.environ, **ENVIRONMENT, **raylets.joining}
    joiner = subprocess.Popen(
        command, env=given, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert joiner.stdin is not None
    assert joiner.stdout is not None
    to, of = joiner.stdin, joiner.stdout

    def asked() -> str:
        to.write("?\n")
        return of.readline().strip()

    yield asked
    to.close()
    joiner.wait()


def until(ask: Ask, told: Callable[[str], bool]) -> str:
    """The answer, when the cluster has noticed that a node came or went."""
    end = time.monotonic() + 60
    while not told(answer := ask()):
        assert time.monotonic() < end, answer
        time.sleep(0.3)
    return answer


def test_all_nodes_are_asked_even_those_of_one_address(ask: Ask) -> None:
    until(ask, lambda said: said == "2 nodes are fit")


def test_each_unfit_node_is_named_with_what_it_lacks(raylets: Raylets, ask: Ask, home: Path, tmp_path: Path) -> None:
    for name, content in SHADOWS.items():
        (tmp_path / name / "medsearch").mkdir(parents=True)
        (tmp_path / name / "medsearch" / "__init__.py").write_text(content)
        raylets.start(name, {"PYTHONPATH": os.pathsep.join([str(tmp_path / name), ENVIRONMENT["PYTHONPATH"]])})
    lacks = {
        "without": "cannot run medsearch: ModuleNotFoundError: No module named 'medsearch'; install version "
        f"{__version__} there",
        "older": f"has medsearch 0.0.7, the driver {__version__}; install the same version",
    }
    if os.geteuid() == 0:  # nobody else can hide a folder from a process
        raylets.unseen = (home,)
        raylets.start("apart")
        raylets.unseen = ()
        lacks["apart"] = f"does not see {home}; put --home on storage that all nodes share"
    while lacks:
        answer = until(ask, lambda said: any(said.startswith(f"node {name} (") for name in lacks))
        name = answer.split()[1]
        raylets.cut_power(name)
        assert answer.endswith(lacks.pop(name))
    until(ask, lambda said: said == "2 nodes are fit")


@pytest.mark.parametrize(("token", "seconds"), [(None, 20), ("f" * 64, 60)], ids=["none", "wrong"])
def test_without_its_token_no_cluster_is_joined(
    token: str | None, seconds: float, raylets: Raylets, tmp_path: Path
) -> None:
    heads = write_heads(tmp_path / "heads", 8)
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    given |= {**ENVIRONMENT, "HOME": str(tmp_path)} | ({"RAY_AUTH_TOKEN": token} if token else {})
    study = [sys.executable, str(STUDIES / "steady_sweep.py"), "--home", str(tmp_path / "home"), "--data", str(heads)]
    began = time.monotonic()
    done = subprocess.run(
        [*study, "--address", raylets.address], env=given, capture_output=True, text=True, check=False
    )
    print(f"{time.monotonic() - began:.1f} s\n{done.stderr}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("medsearch: ")
    assert "token" in line
    assert "RAY_AUTH_TOKEN_PATH" in line
    assert time.monotonic() - began < seconds


def test_nothing_at_the_address_is_said_at_once(tmp_path: Path) -> None:
    from medsearch.study.ray.cluster import join

    port, began = free_port(), time.monotonic()
    with pytest.raises(BadInput, match=rf"^cannot join .*127.0.0.1:{port}': .*refused; is it up, and is this what"):
        join(f"127.0.0.1:{port}")
    assert time.monotonic() - began < 15
