"""Self-training: pseudo-labels from a teacher, then training goes on from its weights (section 5.4.2, Eq. 5.13)."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.data.patches import PatchIndex
from medsearch.methods.modatts.recipe import SegmentationRecipe, SelfTrainingRecipe
from medsearch.methods.modatts.segmentation import SegmentationTraining, fit
from medsearch.methods.modatts.segmentor import predict
from medsearch.methods.modatts.supervision import supervision
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Training
from medsearch.training.adversarial import pieces
from medsearch.training.checkpoints import load_modules
from medsearch.training.crops import IGNORED, Crops


def train(
    recipe: SelfTrainingRecipe, segmentation: SegmentationRecipe, *, selection: Selection, context: StageContext
) -> Training:
    """One round. True target labels stay; every other diseased target crop gets the teacher's prediction."""
    teacher = context.upstream["teacher"]
    given = supervision(segmentation, selection, context)
    training = SegmentationTraining(segmentation, context, given)
    load_modules(teacher.file("weights.safetensors"), training.modules)
    labelled = pseudo_labelled(training, recipe)
    training.given = replace(given, diseased=labelled, name=f"self_training/{teacher.key}")
    return fit(training, recipe.epochs)


def pseudo_labelled(training: SegmentationTraining, recipe: SelfTrainingRecipe) -> Crops:
    """The diseased target crops with the teacher's thresholded predictions where no mask is known.

    Departs from the paper in its self-supervised variant, as released: it too knows which halves are diseased.
    """
    crops, runtime = training.given.diseased, training.context.runtime
    unknown = [index for index in range(len(crops)) if index not in crops.annotated]
    masks: dict[PatchIndex, NDArray[np.uint8]] = {}
    for part in pieces(len(unknown), runtime.at_once(training.recipe.batch)):
        x = crops.load(unknown[part], None).x.to(runtime.device)
        found = pseudo_mask(predict(training.segmentor, x, runtime)[:, 0], recipe)
        masks |= dict(zip((crops.halves.units[index] for index in unknown[part]), found, strict=True))
    return Crops(crops.halves, masks.get)


def pseudo_mask(y_hat: torch.Tensor, recipe: SelfTrainingRecipe) -> NDArray[np.uint8]:
    """1 above α; below it 0, or `IGNORED` between 1 - α and α when uncertain voxels are to be left out."""
    mask = (y_hat > recipe.threshold).to(torch.uint8)
    if recipe.uncertain == "ignore":
        mask[(y_hat > 1 - recipe.threshold) & (y_hat <= recipe.threshold)] = IGNORED
    found: NDArray[np.uint8] = mask.cpu().numpy()
    return found
