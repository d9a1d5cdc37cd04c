"""What the segmentation stage learns from and is selected on, for each kind of supervision and each selection rule."""

from dataclasses import dataclass, replace

import numpy as np

from medsearch.core.errors import BadInput
from medsearch.data.augmentation.tumours import heterogeneity, repeats
from medsearch.data.geometry import halves
from medsearch.data.patches import HemispherePatches, VolumeSource, domain_source, half_crops, half_slices
from medsearch.data.views import Domain, TaskView
from medsearch.losses.weights import annotated_share
from medsearch.methods.modatts.data import pseudo_target
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.method import Selection
from medsearch.training.crops import Crops


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Annotated crops of X_pT (or the reference's own), target crops by presence, and validation halves.

    A network that sees slices trains on slices of the crops, and makes tumours on slices of healthy validation halves;
    it is validated on whole halves all the same. `name` seeds the order of the crops.
    """

    synthetic: Crops
    diseased: Crops
    healthy: Crops
    validation: Crops
    validation_healthy: Crops
    annotated_fraction: float
    epoch: int
    """Crops that an epoch counts: one pass over the diseased ones, of the source or of the target, whichever are more.

    Also over those without annotation, and whether a term looks at them or not: rows of an ablation that differ in
    annotation or in translation train for equally many steps. (Up-sampled tumours count as often as they come.)
    """
    name: str = "segmentation"


def supervision(recipe: SegmentationRecipe, selection: Selection, context: StageContext) -> Supervision:
    """Crops for the recipe. Synthetic crops without a tumour are left out, as released.

    Raises:
        BadInput: the split leaves nothing to train or to select on.

    """
    task, synthesis = context.task, context.upstream.get("synthesis")
    source = _annotating(recipe, task, synthesis)
    annotated = {name for name in source.subjects if source.mask(name) is not None}
    sick, _ = _by_presence(recipe, source)
    synthetic = replace(sick, units=tuple(unit for unit in sick.units if unit.subject in annotated))
    synthetic = upsampled(synthetic, recipe.tumour_upsampling)
    diseased = healthy = replace(synthetic, units=())
    if recipe.supervision == "pseudo-target":
        diseased, healthy = _by_presence(recipe, domain_source(task, "target", "train"))
    shown = _validation(selection, task, synthesis)
    given = Supervision(
        synthetic=Crops(synthetic, tumour_intensity=recipe.tumour_intensity),
        diseased=Crops(diseased),
        healthy=Crops(healthy),
        validation=Crops(half_crops(shown)[0]),
        validation_healthy=Crops(_by_presence(recipe, shown)[1]),
        annotated_fraction=annotated_share(len(annotated), len(source.subjects)),
        epoch=max(len(of) for of in (synthetic, diseased, sick)),
    )
    _require_enough(recipe, given)
    return given


def _annotating(recipe: SegmentationRecipe, task: TaskView, synthesis: Artifact | None) -> VolumeSource:
    """The volumes whose masks teach."""
    if recipe.supervision == "pseudo-target":
        assert synthesis is not None
        return pseudo_target(task, "train", synthesis)
    return domain_source(task, recipe.supervision, "train")


def _by_presence(recipe: SegmentationRecipe, source: VolumeSource) -> tuple[HemispherePatches, HemispherePatches]:
    return half_slices(source) if recipe.network.dimensions == 2 else half_crops(source)


def upsampled(crops: HemispherePatches, times: int) -> HemispherePatches:
    """Small tumours, and large heterogeneous ones, `times` in an epoch (`repeats`); slices come as often as their half.

    Raises:
        BadInput: `times` is below 1.

    """
    if times == 1:
        return crops
    tumours = {side: found for side in {unit[:2] for unit in crops.units} if (found := _tumour(crops.source, *side))[0]}
    sides = sorted(tumours)
    often = repeats([tumours[side][0] for side in sides], [tumours[side][1] for side in sides], times=times)
    turns = dict(zip(sides, often, strict=True))
    return replace(crops, units=tuple(unit for unit in crops.units for _ in range(turns.get(unit[:2], 1))))


def _tumour(source: VolumeSource, subject: str, side: int) -> tuple[int, float]:
    """Voxels and heterogeneity of the tumour in one crop."""
    mask, box = source.mask(subject), source.box(subject)
    assert mask is not None
    image, marked = (halves(of, source.geometry, box)[side] for of in (source.image(subject), mask))
    return int(np.count_nonzero(marked)), heterogeneity(image.astype(np.float32), marked)


def _validation(selection: Selection, task: TaskView, synthesis: Artifact | None) -> VolumeSource:
    """The volumes that the rule allows to select by."""
    if selection == "pseudo-target":
        assert synthesis is not None
        return pseudo_target(task, "validation", synthesis)
    domain: Domain = "target" if selection == "oracle" else "source"
    return domain_source(task, domain, "validation")


def _require_enough(recipe: SegmentationRecipe, given: Supervision) -> None:
    faults = {
        "no annotated crop with a tumour to learn from; raise task.source_labels or task.target_labels": not (
            len(given.synthetic) or given.diseased.annotated
        ),
        "no diseased target crop to translate; take segmentation.variant self-supervised": (
            recipe.generative and not len(given.diseased)
        ),
        "no healthy target crop to translate; take segmentation.variant self-supervised": (
            recipe.generative and not len(given.healthy)
        ),
        "no diseased crop to validate on": not len(given.validation),
    }
    for problem, fault in faults.items():
        if fault:
            msg = f"the split leaves {problem}, add cases, or change task.split_seed"
            raise BadInput(msg)
