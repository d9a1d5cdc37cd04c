"""What the segmentation stage learns from and is selected on, by supervision and selection rule, and its batches."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medsearch.cohorts.patches import HemispherePatches, SubjectVolumes, cycled, domain_volumes, half_crops, half_slices
from medsearch.cohorts.views import SplitName
from medsearch.core.errors import BadInput
from medsearch.imaging.augmentation.tumours import heterogeneity, repeats
from medsearch.imaging.geometry import halves
from medsearch.losses.weights import annotated_share
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.methods.modatts.synthesis import pseudo_target
from medsearch.stages.context import StageContext
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
    task, parted = context.task, half_slices if recipe.network.dimensions == 2 else half_crops
    source = _volumes(recipe.supervision, "train", context)
    annotated = {name for name in source.subjects if source.mask(name) is not None}
    sick, _ = parted(source)
    synthetic = replace(sick, units=tuple(unit for unit in sick.units if unit.subject in annotated))
    synthetic = upsampled(synthetic, recipe.tumour_upsampling)
    diseased = healthy = replace(synthetic, units=())
    if recipe.supervision == "pseudo-target":
        diseased, healthy = parted(domain_volumes(task, "target", "train"))
    shown = _volumes("target" if selection == "oracle" else selection, "validation", context)
    given = Supervision(
        synthetic=Crops(synthetic, tumour_intensity=recipe.tumour_intensity),
        diseased=Crops(diseased),
        healthy=Crops(healthy),
        validation=Crops(half_crops(shown)[0]),
        validation_healthy=Crops(parted(shown)[1]),
        annotated_fraction=annotated_share(len(annotated), len(source.subjects)),
        epoch=max(len(crops) for crops in (synthetic, diseased, sick)),
    )
    lacking = {
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
    for problem, fault in lacking.items():
        if fault:
            msg = f"the split leaves {problem}, add cases, or change task.split_seed"
            raise BadInput(msg)
    return given


def _volumes(contrast: str, split: SplitName, context: StageContext) -> SubjectVolumes:
    """The source or target volumes of a split, or the source's translated ones, `pseudo-target`."""
    if contrast == "pseudo-target":
        return pseudo_target(context.task, split, context.upstream["synthesis"])
    return domain_volumes(context.task, "target" if contrast == "target" else "source", split)


def upsampled(crops: HemispherePatches, times: int) -> HemispherePatches:
    """Small tumours, and large heterogeneous ones, `times` in an epoch (`repeats`); slices come as often as their half.

    Raises:
        BadInput: `times` is below 1.

    """
    if times == 1:
        return crops
    volumes, tumours = crops.volumes, dict[tuple[str, int], tuple[int, float]]()  # voxels and heterogeneity
    for subject, side in sorted({unit[:2] for unit in crops.units}):
        mask, box = volumes.mask(subject), volumes.box(subject)
        assert mask is not None
        image, marked = (halves(volume, volumes.geometry, box)[side] for volume in (volumes.image(subject), mask))
        if marked.any():
            tumours[subject, side] = int(np.count_nonzero(marked)), heterogeneity(image.astype(np.float32), marked)
    sizes, textures = [size for size, _ in tumours.values()], [texture for _, texture in tumours.values()]
    turns = dict(zip(tumours, repeats(sizes, textures, times=times), strict=True))
    return replace(crops, units=tuple(unit for unit in crops.units for _ in range(turns.get(unit[:2], 1))))


@dataclass(frozen=True)
class Triple(TensorBatch):
    """One batch: annotated synthetic crops, diseased target crops (some annotated), healthy ones with sampled u."""

    synthetic: CropBatch
    diseased: CropBatch
    healthy: CropBatch
    u: Tensor
    emphasis: tuple[float, float] = (1.0, 1.0)
    """Of the Dice of synthetic and of target crops, where this is a part of a batch that has not its share of them."""

    def __getitem__(self, part: slice) -> "Triple":
        """The crops of `part`, counted in each of the three lists."""
        share = len(range(len(self))[part]) / len(self)
        synthetic, diseased = self.synthetic[part], self.diseased[part]
        weights = (
            emphasis(len(synthetic.y), len(self.synthetic.y), share=share),
            emphasis(len(diseased.y), len(self.diseased.y), share=share),
        )
        return Triple(synthetic, diseased, self.healthy[part], self.u[part], weights)


def drawn(recipe: SegmentationRecipe, given: Supervision, rng: np.random.Generator) -> Iterator[Triple]:
    """One epoch: every list of crops is cycled to its length. Lists that no term looks at stay empty.

    Without translation only the annotated ones among the target crops are loaded. For healthy crops u ~ N(0, I) is
    sampled in the shape of the bottleneck.
    """
    known, size = given.diseased.annotated, recipe.batch
    diseased = given.diseased if recipe.generative or known else given.diseased.none()
    healthy = given.healthy if recipe.generative else given.healthy.none()
    length = math.ceil(given.epoch / size)
    lists = (cycled(len(crops), size, length, rng) for crops in (given.synthetic, diseased, healthy))
    augmenting = rng if recipe.augment else None
    network, crop = recipe.sized_network, given.healthy.halves.volumes.geometry.crop
    bottleneck = [side // math.prod(network.scales) for side in crop[-network.dimensions :]]
    for synthetic, sick, well in zip(*lists, strict=True):
        of_use = sick if recipe.generative else [index for index in sick if index in known]
        loaded = (
            given.synthetic.load(synthetic, augmenting),
            diseased.load(of_use, augmenting),
            healthy.load(well, augmenting),
        )
        u = rng.standard_normal((len(well), network.unique_channels, *bottleneck), dtype=np.float32)
        yield Triple(*loaded, torch.from_numpy(u))
