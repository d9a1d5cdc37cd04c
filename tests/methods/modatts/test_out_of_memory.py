"""Memory runs out while MoDATTS trains: real steps, and torch's own error once a forward pass has too many samples."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from medsearch.methods.modatts import losses
from medsearch.methods.modatts.segmentation import SegmentationTraining
from medsearch.methods.modatts.translation import TranslationTraining
from medsearch.stages.context import Artifact
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.store import Store
from medsearch.training import loop as loops
from tests.micro import Micro, drained

KNOBS = {"translation.network.dropout": 0.0}


class Narrow:
    """A device that holds the tensors of `room` samples, from the call number `after` on."""

    def __init__(self, room: int, after: int = 0) -> None:
        self.room, self.after, self.calls = room, after, 0
        self.networks: list[weakref.ref[nn.Module]] = []
        self.alive: list[int] = []

    def around(self, forward: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def limited(training: Any, batch: Any) -> Any:
            self.calls += 1
            network = next(iter(training.modules.values()))
            if not any(known() is network for known in self.networks):
                self.alive.append(sum(known() is not None for known in self.networks))
                self.networks.append(weakref.ref(network))
            done = forward(training, batch)  # its graph is held while the error travels
            if self.calls > self.after and len(batch) > self.room:
                msg = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB"
                raise torch.cuda.OutOfMemoryError(msg)
            return done

        return limited


def trained(micro: Micro, root: Path, node: str, *, narrow: Narrow | None = None, micro_batch: int = 0) -> Artifact:
    """One stage in a store of its own; what precedes it comes from the shared one."""
    executor = micro.executor(micro_batch=micro_batch)
    own = Store(root / "stages")
    for name, run in micro.runs(KNOBS).items():
        if name == node:
            for key in run.upstream.values():
                (own.root / key).parent.mkdir(parents=True, exist_ok=True)
                (own.root / key).symlink_to(micro.store.folder(key))
            return drained(run_stage(StageExecutor(own, executor.prepared, executor.runtime), run))[1]
        micro.finished(name, KNOBS)
    raise AssertionError(node)


@pytest.fixture(params=["translation", "segmentation"])
def node(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def starved(monkeypatch: pytest.MonkeyPatch) -> Callable[[Narrow], Narrow]:
    def limit(narrow: Narrow) -> Narrow:
        for kind in (TranslationTraining, SegmentationTraining):
            monkeypatch.setattr(kind, "forward", narrow.around(kind.forward))
        return narrow

    return limit


def test_a_halved_run_is_the_run_with_that_micro_batch(
    micro: Micro, tmp_path: Path, node: str, starved: Callable[[Narrow], Narrow]
) -> None:
    """To the bit: the try that failed leaves nothing behind."""
    outright = trained(micro, tmp_path / "outright", node, micro_batch=1)
    narrow = starved(Narrow(room=1))
    halved = trained(micro, tmp_path / "halved", node)
    batch = {"translation": 8, "segmentation": 2}[node]
    halvings = halved.manifest.memory.halvings
    assert [halving.before for halving in halvings] == [size for size in (8, 4, 2) if size <= batch]
    assert halved.manifest.memory.micro_batch == 1
    assert halvings[0].reason.startswith("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert halved.metrics == outright.metrics
    assert halved.file("weights.safetensors").read_bytes() == outright.file("weights.safetensors").read_bytes()
    assert narrow.alive == [0] * (len(halvings) + 1), "the networks of the try before are gone"


def test_in_the_middle_it_goes_on_from_its_checkpoint(
    micro: Micro, tmp_path: Path, node: str, starved: Callable[[Narrow], Narrow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour takes its memory after the first epoch: that one is kept, the second is done in parts."""
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 0.0)
    counting = starved(Narrow(room=99))
    whole = trained(micro, tmp_path / "whole", node)
    steps = counting.calls // 2
    narrow = starved(Narrow(room=1, after=steps))
    halved = trained(micro, tmp_path / "halved", node)
    assert {halving.epochs for halving in halved.manifest.memory.halvings} == {1}
    journals = [Store(tmp_path / name / "stages").journal(whole.key) for name in ("whole", "halved")]
    first, second = ([journal[epoch]["metrics"] for journal in journals] for epoch in (0, 1))
    assert first[0] == first[1]
    assert second[0] != second[1]
    assert second[1] == pytest.approx(second[0], abs=0.1)
    assert narrow.calls > steps


def test_means_over_samples_stay_and_the_dice_is_the_mean_of_the_parts(micro: Micro, tmp_path: Path) -> None:
    """What the manifest's micro-batch means for each term of a step."""
    run = micro.runs(KNOBS)["segmentation"]
    micro.finished("synthesis", KNOBS)
    terms, parts = {}, []

    def dice(y: torch.Tensor, y_hat: torch.Tensor, counted: torch.Tensor | None = None) -> torch.Tensor:
        found = original(y, y_hat, counted)
        parts.append(found.item())
        return found

    original = losses.dice
    for size in (0, 1):
        context = replace(micro.context(run, tmp_path / str(size)), runtime=micro.executor(micro_batch=size).runtime)
        from medsearch.methods.modatts.supervision import supervision

        held = SegmentationTraining(run.stage.recipe, context, supervision(run.stage.recipe, "oracle", context))
        for name, optimiser in held.optimisers.items():
            held.optimisers[name] = torch.optim.SGD(optimiser.param_groups[0]["params"], lr=0.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(losses, "dice", dice)
            terms[size] = {name: value.item() for name, value in next(held.steps(1)).items()}
    whole, apart = terms[0], terms[1]
    assert set(whole) == set(apart)
    for name in set(whole) - {"seg", "st"}:
        assert apart[name] == pytest.approx(whole[name], rel=1e-4, abs=1e-5), name
    weight = held.weights["seg"]
    of_the_whole, *of_the_parts = parts
    assert whole["seg"] == pytest.approx(weight * of_the_whole, rel=1e-5)
    assert apart["seg"] == pytest.approx(weight * sum(of_the_parts) / len(of_the_parts), rel=1e-5)
    assert abs(apart["seg"] - whole["seg"]) > 1e-6
