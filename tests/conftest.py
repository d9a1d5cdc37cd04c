"""What several floors' tests share: shapes are checked as annotated, `micro` is importable by all."""

from collections.abc import Iterator

import pytest
from bucket import Buckets
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("medsearch.methods", "beartype.beartype")  # before the first of them is imported
from micro import Micro  # noqa: E402

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Micro:
    """Six made-up heads and the store of what was trained on them."""
    return Micro.written(tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="session")
def buckets() -> Iterator[Buckets]:
    """A server that speaks S3."""
    serving = Buckets()
    yield serving
    serving.stop()
