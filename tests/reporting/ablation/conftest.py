"""The made-up studies, each written, collected and told once, and copied for who changes it."""

import shutil

import pytest

from medsearch.reporting.collect import collect_ablation
from medsearch.stages.store import Store
from tests.reporting import made_up_ablation
from tests.reporting.written import files


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A home that holds the made-up ablation; nobody changes it."""
    home = tmp_path_factory.mktemp("ablation")
    made_up_ablation.write(home / "studies" / "table", Store(home / "stages"))
    return home


@pytest.fixture
def home(written, tmp_path):
    """The study's folder and its store, to be changed at will."""
    copy = shutil.copytree(written, tmp_path / "home")
    return copy / "studies" / "table", Store(copy / "stages")


@pytest.fixture(scope="session")
def results(written):
    """What the made-up ablation has come to."""
    return collect_ablation(written / "studies" / "table", Store(written / "stages"))


@pytest.fixture(scope="session")
def texts(results):
    """The files of text of its report, by name."""
    return files(results)


@pytest.fixture(scope="session")
def retuned(tmp_path_factory):
    """The folder and the store of the one whose rows are re-tuned; nobody changes it."""
    home = tmp_path_factory.mktemp("retuned")
    folder, store = home / "studies" / "table", Store(home / "stages")
    made_up_ablation.write(folder, store, of=made_up_ablation.retuned(), failures={}, waiting=frozenset())
    return folder, store
