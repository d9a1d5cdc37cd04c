"""Methods at a size that trains in a second: six made-up heads, really prepared, and networks of a few channels.

Its numbers depend on no default of any scale, so that tests can hold them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medsearch.cohorts.cohort import Case, Cohort, Subset
from medsearch.cohorts.preparation import prepare
from medsearch.cohorts.prepared import Prepared
from medsearch.cohorts.tasks import CrossModalityTask, Task
from medsearch.cohorts.views import view
from medsearch.core.recipes import override
from medsearch.imaging.geometry import Geometry
from medsearch.imaging.volumes import write_volume
from medsearch.methods.modatts import MODATTS
from medsearch.methods.modatts.networks.config import MedformerConfig, TransUNetConfig
from medsearch.methods.modatts.recipe import (
    MoDATTSRecipe,
    SegmentationRecipe,
    SelfTrainingRecipe,
    TranslationRecipe,
)
from medsearch.networks.config import DiscriminatorConfig
from medsearch.stages.context import Artifact, Runtime, StageContext
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Setting, StageRun
from medsearch.stages.stage import Epoch, Training
from medsearch.stages.store import Store
from medsearch.training.recipes import OptimiserRecipe

SHAPE = (24, 24, 16)  # x, y, z
CONTRASTS = ("t1", "t2")
TASK = CrossModalityTask(
    source="t1",
    target="t2",
    geometry=Geometry(spacing=(10.0, 10.0, 10.0), slice_size=32, depth=(4, 12), crop=(8, 16, 8)),
)
OPTIMISER = OptimiserRecipe(lr=1e-3)
NETWORK = MedformerConfig(
    channels=(4, 4, 4, 8, 8),
    scales=(2, 2, 2, 1),
    convs=(1, 1),
    attentions=(1, 1, 1),
    heads=(2, 2, 2),
    decoder_convs=(1, 1),
    expansion=2,
    codes=8,
    fusion_channels=8,
    fusion_heads=2,
    fusion_layers=1,
    unique_fraction=0.25,
)
RECIPE = MoDATTSRecipe(
    translation=TranslationRecipe(
        network=TransUNetConfig(
            input_size=32,
            width=4,
            units=(1, 1, 1),
            hidden=16,
            layers=1,
            heads=2,
            mlp=16,
            bridge=8,
            decoder=(8, 8, 4, 4),
        ),
        discriminator=DiscriminatorConfig(dimensions=2, channels=(4, 8), scales=2),
        optimiser=OPTIMISER,
        epochs=2,
        batch=8,
    ),
    segmentation=SegmentationRecipe(
        network=NETWORK,
        discriminator=DiscriminatorConfig(dimensions=3, channels=(4, 8), scales=2),
        optimiser=OPTIMISER,
        epochs=2,
        batch=2,
    ),
    self_training=SelfTrainingRecipe(rounds=1, epochs=2),
)


def write_heads(root: Path, count: int = 6, *, both_sides: bool = False, fine: int = 1) -> Cohort:
    """Ellipsoid brains with a tumour on one side, or on both; dark in T1 and bright in T2. Voxels of 10 / `fine` mm."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        grid = np.stack(np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij"))
        where = (grid - np.array(SHAPE).reshape(3, 1, 1, 1) / 2 + 0.5) / np.array([7.5, 8.5, 6.5]).reshape(3, 1, 1, 1)
        brain = (where**2).sum(0) < 1
        centre = np.array([8.0 if number % 2 else 15.0, 11.0, 7.0]) + rng.uniform(-1, 1, 3)
        mask = brain & (((grid - centre.reshape(3, 1, 1, 1)) ** 2).sum(0) < rng.uniform(5, 9))
        mask = mask | mask[::-1] if both_sides else mask
        tissue = 100 + 20 * np.sin(grid.sum(0) / 3 + number) + rng.normal(0, 5, SHAPE)
        images = {"t1": tissue - 50.0 * mask, "t2": 220 - tissue + 80.0 * mask}
        images = {contrast: np.where(brain, image, 0) for contrast, image in images.items()}
        cases.append(_written(root / f"case-{number}", images, mask, fine))
    return Cohort("micro", root, "brats2020", CONTRASTS, tuple(cases))


def unpaired(of: Cohort) -> Cohort:
    """As if a data set said who is what: three annotated sources, two targets with weak labels, one test case."""
    parts: list[tuple[Subset, str]] = [("source", "t1")] * 3 + [("target", "t2")] * 2 + [("test", "t2")]
    cases = (
        replace(
            case,
            images={contrast: case.images[contrast]},
            mask=case.mask if part == "source" else None,
            subset=part,
            presence=(bool(number % 2), not number % 2) if part == "target" else None,
        )
        for number, (case, (part, contrast)) in enumerate(zip(of.cases, parts, strict=True))
    )
    return replace(of, cases=tuple(cases))


def _written(folder: Path, images: Mapping[str, np.ndarray], mask: np.ndarray, fine: int) -> Case:
    folder.mkdir(parents=True)
    affine, each = np.diag([-10.0 / fine, -10.0 / fine, 10.0 / fine, 1.0]), np.ones((fine,) * 3, np.float32)
    paths = {contrast: folder / f"{contrast}.nii.gz" for contrast in images}
    for contrast, path in paths.items():
        write_volume(path, np.kron(images[contrast].astype(np.float32), each), affine)
    write_volume(folder / "seg.nii.gz", np.kron(4 * mask, each).astype(np.uint8), affine)
    return Case(folder.name, paths, folder / "seg.nii.gz")


def small(method: Method, recipe: Any) -> Method:
    """A method at this size."""
    return replace(method, make_recipe=lambda **_: recipe)


MICRO_MODATTS = small(MODATTS, RECIPE)


@dataclass(frozen=True)
class Micro:
    """A prepared cohort and a store whose finished stages all tests share: six heads and MoDATTS unless others."""

    prepared: Prepared
    store: Store
    of: Method = MICRO_MODATTS
    asked: Task = TASK

    @staticmethod
    def written(root: Path, *, both_sides: bool = False, apart: bool = False) -> "Micro":
        heads = write_heads(root / "heads", both_sides=both_sides)
        heads = unpaired(heads) if apart else heads
        return Micro(prepare(heads, "micro", task=TASK, folder=root / "cohorts"), Store(root / "stages"))

    def runs(
        self,
        knobs: Mapping[str, Any] | None = None,
        *,
        selection: Selection = "oracle",
        test: bool = False,
        task: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> dict[str, StageRun]:
        """The stage runs of the micro recipe with some knobs changed, by node."""
        setting = Setting(override(self.asked, task or {}), "micro", self.prepared.roster)
        wanted = self.of.pipeline(override(self.of.recipe, knobs or {}), selection=selection, test=test)
        return {run.node: run for run in wanted.runs(setting, seed)}

    def executor(self, **runtime: Any) -> StageExecutor:
        return StageExecutor(self.store, self.prepared, Runtime(**runtime))

    def finished(self, node: str, *args: Any, task: Mapping[str, Any] | None = None, **kwargs: Any) -> Artifact:
        """Train up to `node`; arguments as for `runs`."""
        runs = self.runs(*args, task=task, **kwargs)
        for name, run in runs.items():
            _, artifact = drained(run_stage(self.executor(), run))
            if name == node:
                return artifact
        raise AssertionError(node)

    def context(
        self,
        run: StageRun,
        folder: Path,
        *,
        upstream: Mapping[str, Artifact] | None = None,
        **runtime: Any,
    ) -> StageContext:
        """What a stage run would be given, with outputs in `folder`; unless given, what it takes must be finished."""
        taken = upstream or {role: self.store.artifact(key) for role, key in run.upstream.items()}
        return StageContext(
            task=view(self.prepared, run.task, run.stage.reads()),
            upstream=taken,
            seed=run.seed,
            runtime=Runtime(**runtime),
            directory=folder,
            checkpoint=folder / "checkpoint",
        )


def drained(training: Training | Any) -> tuple[list[Epoch], Any]:
    """All that a generator yields, and what it returns."""
    epochs: list[Epoch] = []
    while True:
        try:
            epochs.append(next(training))
        except StopIteration as end:
            return epochs, end.value


def flat(**knobs: Any) -> dict[str, Any]:
    """Knobs of the 2D variant."""
    return {"segmentation.network.dimensions": 2, "segmentation.batch": 6, **knobs}
