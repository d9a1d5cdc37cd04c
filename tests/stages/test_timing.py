"""How long stages trained."""

from pathlib import Path

from medsearch.stages.context import Artifact
from medsearch.stages.timing import training_hours


def test_hours_are_those_of_all_stages_together() -> None:
    assert (
        training_hours(Artifact(role, Path(), {"seconds": seconds}) for role, seconds in (("a", 1800), ("b", 5400)))
        == 2
    )
    assert training_hours([]) == 0
