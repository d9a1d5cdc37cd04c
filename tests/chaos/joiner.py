"""Joins a cluster once, then answers each line on its input: are all nodes fit? `python joiner.py ADDRESS HOME`."""

import sys
from pathlib import Path

from medsearch.core.errors import MedsearchError
from medsearch.study.ray.cluster import Resources, cluster, require_fit_machines


def main(address: str, home: Path) -> None:
    with cluster(Resources(), address):
        import ray  # reads the environment that was just set

        for _ in sys.stdin:
            try:
                require_fit_machines(home, Resources())
                answer = f"{sum(node['Alive'] for node in ray.nodes())} nodes are fit"
            except MedsearchError as error:
                answer = str(error)
            print(answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
