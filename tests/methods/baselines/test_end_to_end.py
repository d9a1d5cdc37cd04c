"""Every baseline trains and is tested on six heads, under every selection rule."""

from pathlib import Path

import pytest
import torch

from medsearch.stages.context import Artifact
from medsearch.training.checkpoints import load_tensors
from tests.methods.baselines.micro_baselines import METHODS, of
from tests.micro import Micro, drained


def scores_of(micro: Micro, method: str, *args: object, **kwargs: object) -> Artifact:
    return of(micro, method).finished("test", *args, test=True, **kwargs)


@pytest.mark.parametrize("rule", ["source", "pseudo-target", "oracle"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_ends_in_scores_and_pictures(micro: Micro, method: str, rule: str) -> None:
    artifact = scores_of(micro, method, selection=rule)
    assert {"test/dice", "test/dice_halves", "test/dice_micro"} <= set(artifact.metrics)
    assert all(0 <= artifact.metrics[name] <= 1 for name in ("test/dice", "test/dice_halves", "test/dice_micro"))
    assert artifact.file("pictures/predictions.png").stat().st_size


@pytest.mark.parametrize(("rule", "domain"), [("source", "source"), ("pseudo-target", "source"), ("oracle", "target")])
def test_attent_says_what_it_was_selected_on(micro: Micro, rule: str, domain: str) -> None:
    notes = of(micro, "attent").finished("segmentation", selection=rule).manifest.notes
    assert notes["selected_on"] == [domain]


@pytest.mark.parametrize(
    ("method", "node"), [*((method, "segmentation") for method in METHODS), ("attent", "translation")]
)
def test_a_stopped_training_goes_on_as_if_it_had_not_been(micro: Micro, tmp_path: Path, method: str, node: str) -> None:
    """Rates that fall and weights that grow follow the epoch, and need no saving."""
    run = of(micro, method).runs(task={"target_labels": 1.0})[node]
    if run.upstream:
        of(micro, method).finished("translation", task={"target_labels": 1.0})
    folders = [tmp_path / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()
    whole, stopped = (micro.context(run, folder) for folder in folders)
    epochs, outcome = drained(run.stage.train(whole))
    first = run.stage.train(stopped)
    assert next(first).metrics == epochs[0].metrics
    first.close()
    rest, same = drained(run.stage.train(stopped))
    assert [epoch.metrics for epoch in rest] == [epoch.metrics for epoch in epochs[1:]]
    assert same.metrics == outcome.metrics
    weights = [load_tensors(folder / "weights.safetensors")[0] for folder in folders]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
