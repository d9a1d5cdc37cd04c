"""Test scores of a finished segmentor, by case, and the pictures of a report.

Scored are the diseased halves of each test subject (presence is a known weak label), whole halves: tumour outside the
crop counts as missed. The paper's own score, micro Dice over diseased crops, stands beside it, as does the Dice of
both halves together, where false tumour in a healthy half counts too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.data.geometry import Box, Geometry, halves, outside_crops, place_halves
from medsearch.methods.modatts.pictures import COLUMNS, Pictures
from medsearch.methods.modatts.recipe import SegmentationRecipe, SynthesisRecipe, TranslationRecipe
from medsearch.methods.modatts.segmentor import Segmentor, predict
from medsearch.methods.modatts.synthesis import WEIGHTS, load_translator
from medsearch.metrics.overlap import MicroDice, dice
from medsearch.metrics.surfaces import assd
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import prepare_torch

THRESHOLD = 0.5
MEANS = ("dice", "assd", "dice_volume")

Mask = NDArray[np.uint8]
Row = Mapping[str, str | float | None]


@dataclass(frozen=True)
class TestCase:
    """A test subject: its target image, mask and prediction (Z, Y, X), and which halves are diseased."""

    subject: str
    image: NDArray[np.float32]
    truth: Mask
    prediction: Mask
    diseased: tuple[bool, bool]
    box: Box


def evaluate(
    recipe: SegmentationRecipe,
    context: StageContext,
    *,
    translation: TranslationRecipe | None,
    synthesis: SynthesisRecipe,
) -> Training:
    """Score every test case; write pictures into `pictures/`, of translations too if there is a translator upstream."""
    prepare_torch(context.runtime)
    segmentor = Segmentor(recipe)
    load_modules(context.upstream["segmentor"].file("weights.safetensors"), {"segmentor": segmentor})
    segmentor = segmentor.to(context.runtime.device).eval()
    rows: list[Row] = []
    pictured: list[TestCase] = []
    micro = MicroDice()
    for case in test_cases(segmentor, context):
        rows.append(score(case, context.task.geometry, spacing=context.task.spacing))
        add_crops(micro, case, geometry=context.task.geometry)
        if len(pictured) < COLUMNS and case.truth.any():
            pictured.append(case)
    scores = {**means(rows), "test/dice_micro": micro.value}
    pictures = Pictures(context, segmentor)
    pictures.predictions(pictured, {str(row["subject"]): f"Dice {row['dice'] or 0:.2f}" for row in rows})
    if recipe.generative:
        pictures.residuals(pictured)
    if translation is not None:
        artifact, weights = context.upstream["translation"], WEIGHTS[synthesis.checkpoint]
        pictures.translations(pictured, load_translator(translation, artifact, weights, context.runtime.device))
    yield Epoch(1, {})
    return Outcome(scores, {"cases": rows})


@torch.no_grad()
def test_cases(segmentor: Segmentor, context: StageContext) -> Iterator[TestCase]:
    """Predict both halves of each test subject and place them back in its volume."""
    task = context.task
    for subject in task.subjects("target", "test"):
        image, mask = task.image("target", "test", subject), task.mask("target", "test", subject)
        assert mask is not None  # test subjects are always annotated
        box = task.box(subject)
        crops = torch.from_numpy(halves(image, task.geometry, box)).unsqueeze(1).to(context.runtime.device)
        found = (predict(segmentor, crops, context.runtime)[:, 0] > THRESHOLD).cpu().numpy().astype(np.uint8)
        yield TestCase(
            subject=subject,
            image=image,
            truth=mask,
            prediction=place_halves(found, task.shape, task.geometry, box),
            diseased=task.presence("target", "test", subject),
            box=box,
        )


def score(case: TestCase, geometry: Geometry, *, spacing: tuple[float, float, float]) -> Row:
    """One case: Dice and ASSD (mm) over its diseased halves, Dice over both, and the tumour that no crop holds.

    The ASSD is None where nothing was found; both are None for a subject without a tumour.
    """
    scored = diseased_part(case.diseased, case.truth.shape)
    truth, found, diseased = case.truth * scored, case.prediction * scored, any(case.diseased)
    return {
        "subject": case.subject,
        "dice": dice(found, truth) if diseased else None,
        "assd": assd(found, truth, spacing) if diseased else None,
        "dice_volume": dice(case.prediction, case.truth),
        "tumour_voxels": int(case.truth.sum()),
        "outside_crops": outside_crops(case.truth, geometry, case.box),
    }


def add_crops(micro: MicroDice, case: TestCase, *, geometry: Geometry) -> None:
    """Count a case's diseased crops."""
    found, truth = (halves(mask, geometry, case.box) for mask in (case.prediction, case.truth))
    for side, diseased in enumerate(case.diseased):
        if diseased:
            micro.add(found[side], truth[side])


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Over the cases in which a score is defined; a score that is defined nowhere is left out."""
    columns = {name: [float(row[name] or 0) for row in rows if row[name] is not None] for name in MEANS}
    return {f"test/{name}": fmean(values) for name, values in columns.items() if values}


def diseased_part(diseased: tuple[bool, bool], shape: tuple[int, ...]) -> Mask:
    """1 in the diseased halves (x below or above the middle), 0 elsewhere; (Z, Y, X)."""
    part = np.zeros(shape, np.uint8)
    middle = shape[2] // 2
    part[..., :middle] = diseased[0]
    part[..., middle:] = diseased[1]
    return part
