"""Shares of different sizes on nodes of different sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.study.ray import cluster_capacity
from medsearch.study.ray.cluster_capacity import ClusterCapacity, fit_together

ONE = {"CPU": 8.0, "GPU": 1.0}
TWO = {"CPU": 16.0, "GPU": 2.0}


def of(gpus: float, cpus: float = 1.0) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


@pytest.mark.parametrize(
    ("gpus", "nodes", "fits"),
    [
        ([0.5, 0.5], [ONE], True),
        ([0.5, 0.5, 0.125], [ONE], False),
        ([0.3333] * 3, [ONE], True),
        ([1 / 3] * 3, [ONE], True),
        ([0.4] * 4, [TWO], True),
        ([0.4] * 5, [TWO], False),  # 5 x 0.4 is 2, but two on each GPU leave 0.2 on both
        ([0.5, 0.5, 1.0], [TWO], True),
        ([0.5, 0.5, 1.0, 0.125], [TWO], False),
        ([0.25, 1.0], [ONE, ONE], True),
        ([2.0], [TWO], True),
        ([2.0], [ONE, ONE], False),  # a run has its share on one node
        ([2.0, 0.5], [TWO, ONE], True),
        ([2.0, 0.5, 0.75], [TWO, ONE], False),
        ([0.0] * 8, [ONE], True),
        ([0.0] * 9, [ONE], False),
        ([0.25], [{"CPU": 4.0}], False),
        ([], [], True),
    ],
)
def test_what_fits_together(gpus: list[float], nodes: list[dict[str, float]], fits: bool) -> None:
    assert fit_together([of(each) for each in gpus], nodes) is fits


def test_cores_are_counted_on_the_node_of_the_gpu() -> None:
    nodes = [{"CPU": 2.0, "GPU": 1.0}, {"CPU": 64.0}]
    assert fit_together([of(0.25)] * 2, nodes)
    assert not fit_together([of(0.25)] * 3, nodes)
    assert fit_together([of(0.25)] * 2 + [of(0, 60)], nodes)


@given(counts=st.lists(st.integers(1, 8), max_size=12), gpus=st.integers(1, 3))
def test_no_gpu_is_overfull_and_whole_gpus_are_used(counts: list[int], gpus: int) -> None:
    """Of shares 1/k: never more than there are GPUs; and whatever fits on one fewer of them fits."""
    nodes, shares = [{"CPU": 100.0, "GPU": float(gpus)}], [of(1 / count) for count in counts]
    if fit_together(shares, nodes):
        assert sum(1 / count for count in counts) <= gpus + 1e-6
    elif gpus > 1:
        assert not fit_together(shares, [{"CPU": 100.0, "GPU": gpus - 1.0}])


def test_the_cluster_is_asked_anew_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: list[dict[str, float]] = [{"CPU": 2.0}]
    asked = ClusterCapacity(lambda: list(nodes))
    assert not asked.holds([of(0.5)])
    assert (asked.has_gpus, asked.device) == (False, "gpu")
    with pytest.raises(BadInput, match=r"a trial asks for \{'CPU': 1.0, 'GPU': 0.5\}, which no node"):
        asked.require(of(0.5))
    nodes.append({"CPU": 2.0, "GPU": 1.0, "accelerator_type:A100": 1.0})
    assert not asked.holds([of(0.5)]), "believed for some seconds"
    monkeypatch.setattr(cluster_capacity, "CALM", -1.0)
    asked.require(of(0.5))
    assert (asked.has_gpus, asked.device) == (True, "A100")
    nodes.append({"CPU": 2.0, "GPU": 1.0, "accelerator_type:H100": 1.0})
    assert asked.device == "A100+H100"


def test_memory_that_was_asked_for_is_room_as_cores_are() -> None:
    node, run = {"CPU": 8.0, "memory": 20e9}, {"CPU": 1.0, "memory": 8e9}
    assert fit_together([run, run], [node])
    assert not fit_together([run, run, run], [node])
    assert fit_together([run, run, run], [node, node])
    assert fit_together([run, run, {"CPU": 1.0}], [node])
    with pytest.raises(BadInput, match=r"a trial asks for .*memory.* no node of the cluster has"):
        ClusterCapacity(lambda: [node]).require({"CPU": 1.0, "memory": 21e9})
