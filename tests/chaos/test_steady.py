"""The steady method itself: what it makes must not depend on where a life of it ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.micro import Micro, drained

from .studies.steady import STEADY


@pytest.mark.parametrize("epochs", range(4))
def test_a_stage_that_dies_after_any_epoch_ends_alike(
    micro: Micro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    monkeypatch.setenv("STEADY_WORK", str(tmp_path))
    run = replace(micro, of=STEADY).runs()["translation"]
    undisturbed, killed = (
        micro.context(run, tmp_path / home / "stages" / run.key / "outputs") for home in ("undisturbed", "killed")
    )
    first_life = run.stage.train(killed)
    for _ in range(epochs):
        next(first_life)
    del first_life
    assert drained(run.stage.train(killed))[1] == drained(run.stage.train(undisturbed))[1]
