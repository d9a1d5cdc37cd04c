"""Is every node of a joined cluster fit for the study: the package is there, in this version, and sees the home?"""

import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medsearch import __version__
from medsearch.core.errors import BadInput
from medsearch.study.ray.cluster import Resources

PATIENCE = 60.0
"""Seconds for a node to start a process and import the package."""


def require_fit_nodes(home: Path | None, resources: Resources) -> None:
    """Ask each node that could hold a run. One that dies meanwhile is no reason to stop: runs go elsewhere.

    home: None where nodes need not see it.

    Raises:
        BadInput: a node lacks the package, has another version, or does not see `home`; the message names it.

    """
    import ray

    with _marked(home) as mark:
        able = [node for node in ray.nodes() if all(node["Resources"].get(name, 0) for name in resources.per_trial)]
        asked = [(node, _ask(node, mark)) for node in able if node["Alive"]]
        for node, answer in asked:
            _require_fit(node, answer, mark)


def look(mark: str | None) -> tuple[str, bool]:
    """On a node: which version is installed, and whether the file `mark`, if there is one, is visible."""
    return __version__, mark is None or Path(mark).exists()


@contextmanager
def _marked(home: Path | None) -> Iterator[Path | None]:
    """A file in the home for nodes to see."""
    if home is None:
        yield None
        return
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f".seen-by-{socket.gethostname()}-", dir=home) as mark:
        yield Path(mark.name)


def _ask(node: Mapping[str, Any], mark: Path | None) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=there)(look).remote(None if mark is None else str(mark))


def _require_fit(node: Mapping[str, Any], answer: Any, mark: Path | None) -> None:
    found = _answer(node, answer, mark)
    if found is None:
        return
    version, visible = found
    if version != __version__:
        msg = f"node {_name(node)} has medsearch {version}, the driver {__version__}; install the same version"
        raise BadInput(msg)
    if mark is not None and not visible:
        msg = f"node {_name(node)} does not see {mark.parent}; put --home on storage that all nodes share"
        raise BadInput(msg)


def _answer(node: Mapping[str, Any], answer: Any, mark: Path | None) -> tuple[str, bool] | None:
    """What the node says; None if it has died. Where only the process has died, another is asked.

    Raises:
        BadInput: the package is not there, or nothing is heard.

    """
    import ray

    end = time.monotonic() + PATIENCE
    while True:
        try:
            version, visible = ray.get(answer, timeout=max(1.0, end - time.monotonic()))
        except ray.exceptions.RayTaskError as error:  # it ran there: the package is not what it should be
            line = str(error.cause or error).strip().splitlines()[-1]
            msg = f"node {_name(node)} cannot run medsearch: {line}; install version {__version__} there"
            raise BadInput(msg) from error
        except ray.exceptions.RayError as error:
            if not _lives(node):
                return None
            if time.monotonic() > end:
                remedy = "look at it, or take it out of the cluster"
                msg = f"node {_name(node)} did not answer within {PATIENCE:g} s; {remedy}"
                raise BadInput(msg) from error
            time.sleep(0.5)
            answer = _ask(node, mark)
        else:
            return version, visible


def _lives(node: Mapping[str, Any]) -> bool:
    import ray

    return any(other["NodeID"] == node["NodeID"] and other["Alive"] for other in ray.nodes())


def _name(node: Mapping[str, Any]) -> str:
    address, name = node["NodeManagerAddress"], node.get("NodeName")
    return f"{name} ({address})" if name and name != address else str(address)
