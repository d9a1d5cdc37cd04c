"""What the command line says of data, before any are read."""

from pathlib import Path

import pytest

from medsearch.cli.cohorts import Data
from medsearch.cohorts.tasks import CrossModalityTask, SynthesisTask, Task
from medsearch.core.errors import BadInput

BRAIN, CT = CrossModalityTask(), SynthesisTask()


def data(home: Path, **given: object) -> Data:
    none = {"folders": {}, "anatomy": None, "skip_bad": False, "store": None, "cache": None}
    return Data(**{**none, "home": home, "say": lambda _: None, **given})


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ((CT,), r"the phantoms of this study \(abdominal_ct\) are not built on label maps; leave the option out$"),
        ((BRAIN,), r"this study's cohorts are not built on label maps; leave the option out$"),
    ],
)
def test_label_maps_that_no_phantom_is_built_on_are_refused(tmp_path: Path, tasks: tuple[Task, ...], told: str) -> None:
    folders = {} if CT in tasks else {BRAIN.layout: tmp_path}
    given = data(tmp_path, folders=folders, anatomy=tmp_path / "maps")
    for environments in (given.environments, given.written_environments):
        with pytest.raises(BadInput, match=rf"^--anatomy .*maps: {told}"):
            environments(tasks)


def test_label_maps_for_one_of_two_phantoms_are_used(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"maps: holds no label map"):
        data(tmp_path, anatomy=tmp_path / "maps").written_environments((CT, BRAIN))
