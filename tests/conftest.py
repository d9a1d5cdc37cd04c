"""What several floors' tests share: shapes are checked as annotated, `micro` is importable by all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.bucket import Buckets

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the suite has a worker per core
CHECKED = [f"medsearch.{floor}" for floor in ("methods", "training", "networks", "losses")]
install_import_hook(CHECKED, "beartype.beartype")  # before the first of them is imported
from medsearch.stages.store import Store  # noqa: E402
from tests.methods.ssbr_cyclegan.micro_ssbr import MICRO_SSBR  # noqa: E402
from tests.micro import Micro  # noqa: E402
from tests.micro_bodies import TASK as BODIES  # noqa: E402
from tests.micro_bodies import prepared_bodies  # noqa: E402

ROOT = str(Path(__file__).parents[1])  # Ray's workers and other processes find the helpers of tests there
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of knobs that are tried one by one a few are, unless all are asked for.

    Files with slow tests come first, so that no worker is left alone with one in the end.
    """
    if not os.environ.get("MEDSEARCH_EVERY_KNOB"):
        left = [item for item in items if item.get_closest_marker("every_knob")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("every_knob")]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Micro:
    """Six made-up heads and the store of what was trained on them."""
    return Micro.written(tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Micro:
    """Made-up CT of bodies, with and without contrast agent, and the store of what was trained on it."""
    folder = tmp_path_factory.mktemp("ct")
    return Micro(prepared_bodies(folder), Store(folder / "stages"), MICRO_SSBR, BODIES)


@pytest.fixture(scope="session")
def buckets() -> Iterator[Buckets]:
    """A server that speaks S3."""
    serving = Buckets()
    yield serving
    serving.stop()
