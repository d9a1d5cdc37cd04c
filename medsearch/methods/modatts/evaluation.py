"""Test scores of a finished segmentor, by case, and the pictures of a report.

Scored are the diseased halves of each test subject (presence is a known weak label), whole halves: tumour outside the
crop counts as missed. The paper's own score, micro Dice over diseased crops, stands beside it, as does the Dice of
both halves together, where false tumour in a healthy half counts too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch

from medsearch.data.geometry import Box, halves, outside_crops, place_halves
from medsearch.methods.modatts.pictures import Pictures
from medsearch.methods.modatts.recipe import SegmentationRecipe, TranslationRecipe
from medsearch.methods.modatts.segmentation import predict
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.synthesis import WEIGHTS, load_translator
from medsearch.metrics.overlap import MicroDice, dice
from medsearch.metrics.surfaces import assd
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.training.checkpoints import load_modules
from medsearch.training.precision import prepare_torch

THRESHOLD = 0.5


@dataclass(frozen=True)
class TestCase:
    """A test subject: its target image, mask and prediction (Z, Y, X), and which halves are diseased."""

    subject: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    diseased: tuple[bool, bool]
    box: Box


def evaluate(recipe: SegmentationRecipe, translation: TranslationRecipe | None, context: StageContext) -> Training:
    """Score every test case; write pictures into `pictures/`."""
    prepare_torch(context.runtime)
    segmentor = Segmentor(recipe)
    load_modules(context.upstream["segmentor"].file("weights.safetensors"), {"segmentor": segmentor})
    segmentor = segmentor.to(context.runtime.device).eval()
    cases = list(test_cases(segmentor, context))
    rows = [score(case, context) for case in cases]
    pictures = Pictures(context, segmentor)
    pictures.predictions(cases)
    if recipe.generative:
        pictures.residuals(cases)
    if translation is not None:
        weights = WEIGHTS["last"]
        pictures.translations(
            cases, load_translator(translation, context.upstream["translation"], weights, context.runtime.device)
        )
    yield Epoch(1, {})
    return Outcome(summary(rows, cases, context), {"cases": rows})


@torch.no_grad()
def test_cases(segmentor: Segmentor, context: StageContext) -> Iterator[TestCase]:
    """Predict both halves of each test subject and place them back in its volume."""
    task = context.task
    for subject in task.subjects("target", "test"):
        image = np.asarray(task.image("target", "test", subject), dtype=np.float32)
        box = task.box(subject)
        crops = torch.from_numpy(halves(image, task.geometry, box)).unsqueeze(1).to(context.runtime.device)
        found = (predict(segmentor, crops, context)[:, 0] > THRESHOLD).cpu().numpy().astype(np.uint8)
        yield TestCase(
            subject=subject,
            image=image,
            truth=np.asarray(task.mask("target", "test", subject)),
            prediction=place_halves(found, image.shape, task.geometry, box),
            diseased=task.presence("target", "test", subject),
            box=box,
        )


def score(case: TestCase, context: StageContext) -> dict[str, object]:
    """One case: Dice and ASSD (mm) over its diseased halves, Dice over both, and the tumour that no crop holds."""
    scored = diseased_part(case.diseased, case.truth.shape)
    truth, found = case.truth * scored, case.prediction * scored
    return {
        "subject": case.subject,
        "dice": dice(found, truth),
        "assd": assd(found, truth, context.task.spacing),
        "dice_volume": dice(case.prediction, case.truth),
        "tumour_voxels": int(case.truth.sum()),
        "outside_crops": outside_crops(case.truth, context.task.geometry, case.box),
    }


def summary(rows: list[dict[str, object]], cases: list[TestCase], context: StageContext) -> dict[str, float]:
    """Means over cases; the micro Dice is over all diseased crops at once."""
    micro = MicroDice()
    for case in cases:
        crops = zip(
            halves(case.prediction, context.task.geometry, case.box),
            halves(case.truth, context.task.geometry, case.box),
            case.diseased,
            strict=True,
        )
        for found, truth, diseased in crops:
            if diseased:
                micro.add(found, truth)
    means = {f"test/{name}": _mean(rows, name) for name in ("dice", "assd", "dice_volume")}
    return {**{name: value for name, value in means.items() if value is not None}, "test/dice_micro": micro.value}


def _mean(rows: list[dict[str, object]], name: str) -> float | None:
    values = [float(row[name]) for row in rows if row[name] is not None]  # type: ignore[arg-type]
    return fmean(values) if values else None


def diseased_part(diseased: tuple[bool, bool], shape: tuple[int, ...]) -> np.ndarray:
    """1 in the diseased halves (x below or above the middle), 0 elsewhere; (Z, Y, X)."""
    part = np.zeros(shape, np.uint8)
    middle = shape[2] // 2
    part[..., :middle] = diseased[0]
    part[..., middle:] = diseased[1]
    return part
