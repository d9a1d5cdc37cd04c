"""How long stages trained."""

from pathlib import Path

from medsearch.stages.context import Artifact, training_hours
from medsearch.stages.manifest import Manifest


def test_hours_are_those_of_all_stages_together() -> None:
    half, more = (Artifact("key", Path(), Manifest(metrics={}, seconds=seconds)) for seconds in (1800, 5400))
    assert training_hours([half, more]) == 2
    assert training_hours([]) == 0
