from collections.abc import Iterator
from pathlib import Path

import pytest

from medsearch.core import remote
from medsearch.stages.bucket import bucket_at
from tests.bucket import Buckets
from tests.stages.nodes import Nodes


@pytest.fixture(params=["bucket", "folder"])
def uri(request: pytest.FixtureRequest, buckets: Buckets, tmp_path: Path) -> str:
    return buckets.new() if request.param == "bucket" else (tmp_path / "remote").as_uri()


@pytest.fixture
def nodes(tmp_path: Path, uri: str) -> Iterator[Nodes]:
    yield Nodes(tmp_path, uri)
    bucket_at.cache_clear()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    monkeypatch.setattr(remote, "PAUSES", ())
    serving = Buckets()
    yield serving
    serving.stop()
    bucket_at.cache_clear()
