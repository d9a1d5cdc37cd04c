"""What the segmentation stage learns from and is selected on, by supervision and selection rule, and its batches."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medsearch.cohorts.patches import HemispherePatches, VolumeSource, cycled, domain_source, half_crops, half_slices
from medsearch.cohorts.views import Domain, TaskView
from medsearch.core.errors import BadInput
from medsearch.imaging.augmentation.tumours import heterogeneity, repeats
from medsearch.imaging.geometry import Triple as Size
from medsearch.imaging.geometry import halves
from medsearch.losses.weights import annotated_share
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.methods.modatts.synthesis import pseudo_target
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.method import Selection
from medsearch.training.adversarial import emphasis
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.prefetch import TensorBatch


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


@dataclass(frozen=True)
class Triple(TensorBatch):
    """One batch: annotated synthetic crops, diseased target crops (some annotated), healthy ones with sampled u."""

    synthetic: CropBatch
    diseased: CropBatch
    healthy: CropBatch
    u: Tensor
    emphasis: tuple[float, float] = (1.0, 1.0)
    """Of the Dice of synthetic and of target crops, where this is a part of a batch that has not its share of them."""

    def __len__(self) -> int:
        return max(len(crops.x) for crops in (self.synthetic, self.diseased, self.healthy))

    def __getitem__(self, part: slice) -> "Triple":
        """Some of every kind."""
        share = len(range(len(self))[part]) / len(self)
        synthetic, diseased = self.synthetic[part], self.diseased[part]
        weights = (
            emphasis(len(synthetic.y), len(self.synthetic.y), share=share),
            emphasis(len(diseased.y), len(self.diseased.y), share=share),
        )
        return Triple(synthetic, diseased, self.healthy[part], self.u[part], weights)


def drawn(recipe: SegmentationRecipe, given: Supervision, rng: np.random.Generator) -> Iterator[Triple]:
    """One epoch: every list of crops is cycled to its length. Lists that no term looks at stay empty.

    Without translation only the annotated ones among the target crops are loaded.
    """
    known, size = given.diseased.annotated, recipe.batch
    diseased = given.diseased if recipe.generative or known else given.diseased.none()
    healthy = given.healthy if recipe.generative else given.healthy.none()
    length = math.ceil(given.epoch / size)
    lists = (cycled(len(crops), size, length, rng) for crops in (given.synthetic, diseased, healthy))
    augmenting = rng if recipe.augment else None
    for synthetic, sick, well in zip(*lists, strict=True):
        of_use = sick if recipe.generative else [index for index in sick if index in known]
        yield Triple(
            given.synthetic.load(synthetic, augmenting),
            diseased.load(of_use, augmenting),
            healthy.load(well, augmenting),
            _sampled(recipe.sized_network, len(well), crop=given.healthy.halves.source.geometry.crop, rng=rng),
        )


def _sampled(network: MedformerConfig, count: int, *, crop: Size, rng: np.random.Generator) -> Tensor:
    """U ~ N(0, I) for healthy crops, in the shape of the bottleneck."""
    space = (side // math.prod(network.scales) for side in crop[-network.dimensions :])
    return torch.from_numpy(rng.standard_normal((count, network.unique_channels, *space), dtype=np.float32))
