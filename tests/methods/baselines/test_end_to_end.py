"""Every baseline trains and is tested on six heads, under every selection rule."""

import pytest

from medsearch.stages.context import Artifact
from tests.methods.baselines.micro_baselines import METHODS, of
from tests.micro import Micro


def scores_of(micro: Micro, method: str, *args: object, **kwargs: object) -> Artifact:
    return of(micro, method).finished("test", *args, test=True, **kwargs)


@pytest.mark.parametrize("rule", ["source", "pseudo-target", "oracle"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_ends_in_scores_and_pictures(micro: Micro, method: str, rule: str) -> None:
    artifact = scores_of(micro, method, selection=rule)
    assert {"test/dice", "test/dice_halves", "test/dice_micro"} <= set(artifact.metrics)
    assert all(0 <= artifact.metrics[name] <= 1 for name in ("test/dice", "test/dice_halves", "test/dice_micro"))
    assert artifact.file("pictures/predictions.png").stat().st_size
