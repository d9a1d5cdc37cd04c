import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.training import loop as loops
from medsearch.training.epochs import Epoch
from medsearch.training.loop import Best, Loop, run
from medsearch.training.optimisers import amsgrad
from medsearch.training.recipes import OptimiserRecipe


def toy(epochs: int = 6, scores: dict[int, float] | None = None, **settings: object) -> Loop:
    """A line fitted to noise; `scores` are what validation says of each epoch, else it says -w."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimiser = amsgrad([model], OptimiserRecipe(lr=0.1))
    current = [0]

    def steps(epoch: int) -> Iterator[dict[str, Tensor]]:
        current[0] = epoch
        for _ in range(3):
            optimiser.zero_grad()
            loss = model(torch.randn(4, 2)).square().mean()
            loss.backward()
            optimiser.step()
            yield {"loss": loss.detach()}

    def validate() -> dict[str, float]:
        value = scores[current[0]] if scores else -float(model.weight.detach().abs().sum())
        return {"validation/dice": value}

    return Loop(
        modules={"m": model}, optimisers={"g": optimiser}, steps=steps, validate=validate, epochs=epochs, **settings
    )


def trained(loop: Loop, folder: Path, stop_after: int = 0) -> tuple[list[Epoch], Best | None]:
    """Run to the end, or close after some epochs."""
    generator, epochs = run(loop, root=5, checkpoint=folder), []
    while True:
        try:
            epochs.append(next(generator))
        except StopIteration as end:
            return epochs, end.value
        if len(epochs) == stop_after:
            generator.close()
            return epochs, None


@pytest.mark.parametrize("stop", [1, 2, 5])
@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_stopped_and_resumed_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, seconds: float
) -> None:
    """Whether the state was saved after every epoch or only when the generator was closed."""
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", seconds)
    epochs, best = trained(toy(), tmp_path / "whole")
    first, _ = trained(toy(), tmp_path / "parts", stop_after=stop)
    torch.manual_seed(99)  # whatever else has drawn in between
    rest, found = trained(toy(), tmp_path / "parts")
    assert [*first, *rest] == epochs
    assert (found.epoch, found.value) == (best.epoch, best.value)
    assert all(torch.equal(found.tensors[name], best.tensors[name]) for name in best.tensors)


def test_a_kill_repeats_what_was_not_saved_and_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs, best = trained(toy(), tmp_path / "whole")
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 0.0)
    trained(toy(), tmp_path / "parts", stop_after=3)
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 1e9)
    generator = run(toy(), root=5, checkpoint=tmp_path / "parts")
    assert [next(generator).number, next(generator).number] == [4, 5]
    saved = (tmp_path / "parts" / "state.safetensors").read_bytes()
    generator.close()
    (tmp_path / "parts" / "state.safetensors").write_bytes(saved)  # as if it had been killed instead of closed
    again, found = trained(toy(), tmp_path / "parts")
    assert again == epochs[3:]
    assert all(torch.equal(found.tensors[name], best.tensors[name]) for name in best.tensors)


def test_best_epoch_and_its_weights_are_kept(tmp_path: Path) -> None:
    scores = {1: 0.1, 2: 0.7, 3: 0.7, 4: 0.3}
    loop = toy(4, scores)
    generator, snapshots = run(loop, root=0, checkpoint=tmp_path), {}
    while True:
        try:
            epoch = next(generator)
        except StopIteration as end:
            best = end.value
            break
        snapshots[epoch.number] = loop.modules["m"].weight.detach().clone()
    assert (best.epoch, best.value) == (2, 0.7)  # the earlier of two equal ones
    assert torch.equal(best.tensors["m/weight"], snapshots[2])
    assert not torch.equal(best.tensors["m/weight"], snapshots[4])
    assert trained(toy(4, scores, better=min), tmp_path / "min")[1].epoch == 1


def test_without_a_metric_that_picks_the_last_epoch_is_kept(tmp_path: Path) -> None:
    loop = toy(4, {1: 0.9, 2: 0.7, 3: 0.3, 4: 0.1}, best="")
    trained(loop, tmp_path, stop_after=2)
    _, found = trained(toy(4, best=""), tmp_path)
    _, whole = trained(toy(4, best=""), tmp_path / "whole")
    assert (found.epoch, whole.epoch) == (4, 4)
    assert math.isnan(found.value)
    assert all(torch.equal(found.tensors[name], whole.tensors[name]) for name in whole.tensors)


def test_validation_comes_at_its_interval_and_at_the_end(tmp_path: Path) -> None:
    epochs, _ = trained(toy(5, validate_every=2), tmp_path)
    assert [epoch.number for epoch in epochs if "validation/dice" in epoch.metrics] == [2, 4, 5]
    assert all("train/loss" in epoch.metrics for epoch in epochs)


def test_only_the_named_modules_are_kept(tmp_path: Path) -> None:
    loop = toy(1)
    loop = replace(loop, modules={**loop.modules, "d": nn.Linear(1, 1)}, keep=("m",))
    assert set(trained(loop, tmp_path)[1].tensors) == {"m/weight", "m/bias"}


def test_a_diverged_state_is_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 0.0)
    scores = {1: 0.5, 2: math.nan, 3: 0.5}
    trained(toy(3, scores), tmp_path, stop_after=2)
    again, _ = trained(toy(3, scores), tmp_path)
    assert [epoch.number for epoch in again] == [2, 3]


def test_resuming_after_the_last_epoch_trains_nothing(tmp_path: Path) -> None:
    _, best = trained(toy(2), tmp_path / "whole")
    trained(toy(2), tmp_path / "parts", stop_after=2)
    epochs, found = trained(toy(2), tmp_path / "parts")
    assert not epochs
    assert found.epoch == best.epoch


@pytest.mark.parametrize(("knob", "settings"), [("epochs", {"epochs": 0}), ("validate_every", {"validate_every": 0})])
def test_nothing_to_train_is_refused(tmp_path: Path, knob: str, settings: dict[str, int]) -> None:
    with pytest.raises(BadInput, match=f"{knob} = 0 leaves nothing to train"):
        trained(toy(**settings), tmp_path)


def test_runs_under_other_seeds_differ(tmp_path: Path) -> None:
    first = next(run(toy(), root=1, checkpoint=tmp_path / "a"))
    assert first != next(run(toy(), root=2, checkpoint=tmp_path / "b"))
