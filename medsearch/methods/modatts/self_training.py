"""Self-training: pseudo-labels from a teacher, then training goes on from its weights (section 5.4.2, Eq. 5.13)."""

from dataclasses import replace

import numpy as np
import torch

from medsearch.methods.modatts.crops import IGNORED, Crops
from medsearch.methods.modatts.recipe import SegmentationRecipe, SelfTrainingRecipe
from medsearch.methods.modatts.segmentation import SegmentationTraining, fit, predict
from medsearch.methods.modatts.supervision import supervision
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Training
from medsearch.training.checkpoints import load_modules


def train(
    recipe: SelfTrainingRecipe, segmentation: SegmentationRecipe, selection: Selection, context: StageContext
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
    """The diseased target crops with the teacher's thresholded predictions where no mask is known."""
    crops, device = training.given.diseased, training.context.runtime.device
    masks: dict[tuple[str, int], np.ndarray] = {}
    for index, unit in enumerate(crops.halves.sides):
        x = crops.load([index], None, device).x
        masks[unit] = pseudo_mask(predict(training.segmentor, x, training.context)[0, 0], recipe)
    return Crops(crops.halves, masks.get)


def pseudo_mask(y_hat: torch.Tensor, recipe: SelfTrainingRecipe) -> np.ndarray:
    """1 above α; below it 0, or `IGNORED` between 1 - α and α when uncertain voxels are to be left out."""
    mask = (y_hat > recipe.threshold).to(torch.uint8)
    if recipe.uncertain == "ignore":
        mask[(y_hat > 1 - recipe.threshold) & (y_hat <= recipe.threshold)] = IGNORED
    return mask.cpu().numpy()
