from pathlib import Path

import pytest

from tests.cohorts import abdomens


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return abdomens.written(tmp_path_factory.mktemp("abdomens") / "cohort")
