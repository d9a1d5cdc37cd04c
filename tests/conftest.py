"""What several floors' tests share; `micro` is importable by all of them."""

import pytest
from hypothesis import settings
from micro import Micro

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Micro:
    """Six made-up heads and the store of what was trained on them."""
    return Micro.written(tmp_path_factory.mktemp("micro"))
