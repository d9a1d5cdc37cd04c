"""Every knob of the recipe changes what is trained, or is declared inert, with the reason.

A stage is trained with the knob's value and with another one; its epochs, outcome and weights must differ.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs
from medsearch.stages.pipelines import StageRun
from medsearch.stages.store import Store
from tests.micro import RECIPE, Micro, drained

INERT = {
    "translation.discriminator.dimensions": "translation judges slices, whatever is asked",
    "segmentation.discriminator.dimensions": "it follows segmentation.network.dimensions",
}
WIRING = ("self_training.rounds", "ensemble.folds")
"""Knobs that are nodes of the pipeline, and change none."""
OTHERS: dict[str, Any] = {
    "translation.network.input_size": 48,
    "translation.network.units": (1, 2, 1),
    "translation.network.heads": 4,
    "translation.network.decoder": (8, 8, 4, 8),
    "translation.discriminator.dimensions": 3,
    "translation.discriminator.channels": (4, 12),
    "translation.discriminator.kernel": 5,
    "translation.discriminator.scales": 1,
    "translation.optimiser.betas": (0.6, 0.999),
    "translation.imagenet": __file__,  # no weights, and that is said
    "synthesis.checkpoint": "best",
    "segmentation.variant": "self-supervised",
    "segmentation.supervision": "source",
    "segmentation.decoders": "separate",
    "segmentation.translate": "presence-to-absence",
    "segmentation.network.dimensions": 2,
    "segmentation.network.channels": (4, 4, 4, 8, 12),
    "segmentation.network.scales": (2, 2, 1, 1),
    "segmentation.network.convs": (0, 1),
    "segmentation.network.attentions": (1, 1, 2),
    "segmentation.network.heads": (2, 2, 1),
    "segmentation.network.decoder_convs": (1, 2),
    "segmentation.network.fusion_channels": 12,
    "segmentation.network.fusion_heads": 4,
    "segmentation.discriminator.dimensions": 2,
    "segmentation.discriminator.channels": (4, 12),
    "segmentation.discriminator.kernel": 5,
    "segmentation.discriminator.scales": 1,
    "segmentation.weights.seg_schedule": "constant",
    "segmentation.tumour_intensity": 0.3,
    "segmentation.optimiser.betas": (0.6, 0.999),
    "self_training.threshold": 0.45,
    "self_training.uncertain": "ignore",
}
"""Other values, where one more, half as much again or the opposite will not do."""
WITH: dict[str, dict[str, Any]] = {
    "translation.validate_every": {"translation.epochs": 2},
    "segmentation.validate_every": {"segmentation.epochs": 2},
}
"""What a knob needs to be seen at all."""
ON: dict[str, dict[str, Any]] = {"segmentation.tumour_upsampling": {"pairing": "overlap", "source_labels": 1.0}}
"""Tasks that a knob needs, where the one below will not do: a third of the tumours must be one at least."""
SHORT = {"translation.epochs": 1, "segmentation.epochs": 1, "self_training.epochs": 1}
TASK = {"source_labels": 0.5}
NODES = {"translation": "translation", "synthesis": "synthesis", "segmentation": "segmentation"}


def another(knob: str, value: Any) -> Any:
    if knob in OTHERS:
        return OTHERS[knob]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value * 1.5


class Trained:
    """What comes of the stage that a knob belongs to; each setting is trained once."""

    def __init__(self, micro: Micro, folder: Path) -> None:
        self.micro, self.folder = micro, folder
        self.known: dict[tuple[str, str], str] = {}

    def __call__(self, knob: str, changes: Mapping[str, Any]) -> str:
        node, task = NODES.get(knob.split(".")[0], "self_training_1"), ON.get(knob, TASK)
        if knob in ON:
            self.micro.finished("synthesis", SHORT, task=task)
        run = self.micro.runs({**SHORT, **changes}, task=task)[node]
        if (node, run.key) not in self.known:
            self.known[node, run.key] = self._result(run)
        return self.known[node, run.key]

    def _result(self, run: StageRun) -> str:
        folder = self.folder / run.key
        folder.mkdir()
        try:
            epochs, outcome = drained(run.stage.train(self.micro.context(run, folder)))
        except BadInput as error:
            return str(error)
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.*"))}
        return repr(([(epoch.number, epoch.metrics) for epoch in epochs], outcome.metrics, files))  # no durations


@pytest.fixture(scope="module")
def trained(micro: Micro, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("knobs")
    own = Micro(micro.prepared, Store(folder / "stages"))
    own.finished("self_training_1", SHORT, task=TASK)
    best = own.finished("translation", SHORT, task=TASK).file("best.safetensors")
    best.write_bytes(
        own.finished("translation", task=TASK).file("weights.safetensors").read_bytes()
    )  # as if it differed
    return Trained(own, folder)


@pytest.mark.parametrize("knob", [knob for knob in knobs(RECIPE) if knob not in (*INERT, *WIRING)])
def test_the_knob_changes_what_is_trained(trained: Trained, knob: str) -> None:
    value, needed = knobs(RECIPE)[knob], WITH.get(knob, {})
    value = needed.get(knob, SHORT.get(knob, value))
    assert trained(knob, {**needed, knob: another(knob, value)}) != trained(knob, needed), f"{knob} is inert"


@pytest.mark.parametrize("knob", INERT)
def test_what_is_declared_inert_is(trained: Trained, knob: str) -> None:
    assert trained(knob, {knob: OTHERS[knob]}) == trained(knob, {})


def test_rounds_and_folds_are_nodes(micro: Micro) -> None:
    assert [len(micro.runs({"self_training.rounds": rounds})) for rounds in (0, 1, 3)] == [3, 4, 6]
    assert [len(micro.runs({"ensemble.folds": folds})) for folds in (1, 2, 3)] == [4, 2 + 2 * 2, 2 + 3 * 2]


def test_the_lists_name_knobs_that_exist() -> None:
    assert {*INERT, *WIRING, *OTHERS, *WITH, *ON} <= set(knobs(RECIPE))
