"""Is every node of a joined cluster fit for the study: the package is there, in this version, and sees the home?"""

import os
import socket
from pathlib import Path

from medsearch import __version__
from medsearch.core.errors import BadInput
from medsearch.study.cluster import Resources

PATIENCE = 60  # seconds for a node to start a process and import the package


def require_fit_nodes(home: Path, resources: Resources) -> None:
    """Ask each node that could hold a run.

    Raises:
        BadInput: a node lacks the package, has another version, or does not see `home`; the message names it.

    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    mark = home / f".seen-by-{socket.gethostname()}-{os.getpid()}"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        answers = {}
        for node in ray.nodes():
            if node["Alive"] and all(node["Resources"].get(name, 0) for name in resources.per_trial):
                there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
                ask = ray.remote(num_cpus=0, scheduling_strategy=there)(look)
                answers[node["NodeManagerAddress"]] = ask.remote(str(mark))
        for address, answer in answers.items():
            _require_fit(address, answer, home)
    finally:
        mark.unlink()


def look(mark: str) -> tuple[str, bool]:
    """On a node: which version is installed, and whether the file `mark` is visible."""
    return __version__, Path(mark).exists()


def _require_fit(address: str, answer: object, home: Path) -> None:
    import ray

    try:
        version, visible = ray.get(answer, timeout=PATIENCE)
    except ray.exceptions.RayError as error:
        line = str(error).strip().splitlines()[-1]
        msg = f"node {address} cannot run medsearch: {line}; install version {__version__} there"
        raise BadInput(msg) from error
    if version != __version__:
        msg = f"node {address} has medsearch {version}, the driver {__version__}; install the same version"
        raise BadInput(msg)
    if not visible:
        msg = f"node {address} does not see {home}; put --home on storage that all nodes share"
        raise BadInput(msg)
