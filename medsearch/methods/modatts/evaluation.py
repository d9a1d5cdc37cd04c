"""The test stage: predictions of one segmentor, or of several that vote; their scores by case, and what a report shows.

Several segmentors vote by the mean of their probabilities. Predictions of cases that have no mask are written as NIfTI.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from medsearch.data.geometry import halves, place_halves
from medsearch.data.native import to_native
from medsearch.data.volumes import write_volume
from medsearch.methods.modatts.pictures import COLUMNS, Pictures
from medsearch.methods.modatts.recipe import SegmentationRecipe, SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.scoring import Scores, TestCase
from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.methods.modatts.synthesis import WEIGHTS, load_translator
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import prepare_torch

THRESHOLD = 0.5


def evaluate(
    recipe: SegmentationRecipe,
    context: StageContext,
    *,
    translation: TranslationRecipe | None,
    synthesis: SynthesisRecipe,
) -> Training:
    """Score every test case; show some, with translations and attention if there is a translator upstream."""
    prepare_torch(context.runtime)
    segmentors = load_segmentors(recipe, context)
    scores, shown = Scores.of(context.task), list[TestCase]()
    for case in test_cases(segmentors, context):
        scores.add(case)
        if case.truth is None:
            write_prediction(case, context)
        if len(shown) < COLUMNS and (case.truth is None or case.truth.any()):
            shown.append(case)
    translator = None
    if translation is not None:
        artifact, weights = context.upstream["translation"], WEIGHTS[synthesis.checkpoint]
        translator = load_translator(translation, artifact, weights, context.runtime.device)
    Pictures(context, segmentors[0], translator).draw(_alike(shown), scores.rows)
    yield Epoch(1, {})
    return Outcome(scores.metrics, scores.notes)


def load_segmentors(recipe: SegmentationRecipe, context: StageContext) -> list[Segmentor]:
    """Those upstream, in the order of their folds, in eval mode."""
    loaded = []
    roles = [role for role in context.upstream if role.startswith("segmentor")]
    for role in sorted(roles, key=lambda role: (len(role), role)):  # 2 before 10
        segmentor = Segmentor(recipe)
        load_modules(context.upstream[role].file("weights.safetensors"), {"segmentor": segmentor})
        loaded.append(segmentor.to(context.runtime.device).eval())
    return loaded


@torch.no_grad()
def test_cases(segmentors: Sequence[Segmentor], context: StageContext) -> Iterator[TestCase]:
    """Predict both halves of each test subject and place them back in its volume."""
    task = context.task
    for subject in task.subjects("target", "test"):
        image, mask, box = (
            task.image("target", "test", subject),
            task.mask("target", "test", subject),
            task.box(subject),
        )
        crops = torch.from_numpy(halves(image, task.geometry, box)).unsqueeze(1).to(context.runtime.device)
        votes = torch.stack([predict(segmentor, crops, context.runtime)[:, 0] for segmentor in segmentors])
        found = (votes.mean(0) > THRESHOLD).cpu().numpy().astype(np.uint8)
        yield TestCase(
            subject=subject,
            image=image,
            truth=mask,
            prediction=place_halves(found, task.shape, task.geometry, box),
            diseased=None if mask is None else task.presence("target", "test", subject),
            box=box,
        )


def write_prediction(case: TestCase, context: StageContext) -> None:
    """`predictions/<subject>.nii.gz` on the prepared grid, and in `predictions/native/` on the file's if they differ.

    A grid without an atlas is LPS, its first voxel at the origin, and goes for the file's own.
    """
    prepared, folder = context.task.prepared, context.directory / "predictions"
    deep, high, wide = context.task.spacing
    affine = np.array(prepared.record.get("affine", np.diag([-wide, -high, deep, 1.0])))
    folder.mkdir(exist_ok=True)
    write_volume(folder / f"{case.subject}.nii.gz", case.prediction.transpose(2, 1, 0), affine)
    if "native" in prepared.case(case.subject):
        (folder / "native").mkdir(exist_ok=True)
        write_volume(folder / "native" / f"{case.subject}.nii.gz", *to_native(prepared, case.subject, case.prediction))


def _alike(cases: Sequence[TestCase]) -> list[TestCase]:
    """The cases that have masks; if none has, those that have none: a picture's columns hold the same images."""
    return [case for case in cases if case.truth is not None] or list(cases)
