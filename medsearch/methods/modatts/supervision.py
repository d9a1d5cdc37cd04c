"""What the segmentation stage learns from and is selected on, for each kind of supervision and each selection rule."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from medsearch.data.units import Halves, Source
from medsearch.data.views import Domain, SplitName, TaskView
from medsearch.methods.modatts.crops import Crops
from medsearch.methods.modatts.data import domain_source, pseudo_target
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.method import Selection

Presence = Callable[[str], tuple[bool, bool]]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Annotated synthetic crops (or the reference's own), target crops by presence, and validation crops."""

    synthetic: Crops
    diseased: Crops
    healthy: Crops
    validation: Crops
    annotated_fraction: float
    name: str = "segmentation"


def supervision(recipe: SegmentationRecipe, selection: Selection, context: StageContext) -> Supervision:
    """Crops for the recipe. Synthetic crops without a tumour are left out, as released."""
    task, upstream = context.task, context.upstream
    if recipe.supervision == "target":
        target = domain_source(task, "target", "train")
        diseased, healthy = _by_presence(task, "target", "train", _annotated_only(target))
        empty = replace(diseased, sides=())
        return _supervision(diseased, empty, healthy, _validation(selection, task, upstream.get("synthesis")), 1.0)
    source = (
        domain_source(task, "source", "train")
        if recipe.supervision == "source"
        else pseudo_target(task, "train", upstream["synthesis"])
    )
    annotated = _annotated_only(source)
    synthetic, _ = _by_presence(task, "source", "train", annotated)
    fraction = len(annotated.subjects) / len(source.subjects)
    validation = _validation(selection, task, upstream.get("synthesis"))
    if recipe.supervision == "source":
        nothing = replace(synthetic, sides=())
        return _supervision(synthetic, nothing, nothing, validation, fraction)
    diseased, healthy = _by_presence(task, "target", "train", domain_source(task, "target", "train"))
    return _supervision(synthetic, diseased, healthy, validation, fraction)


def _supervision(synthetic: Halves, diseased: Halves, healthy: Halves, validation: Halves, fraction: float) -> Supervision:
    return Supervision(
        synthetic=Crops(synthetic),
        diseased=Crops(diseased),
        healthy=Crops(healthy),
        validation=Crops(validation),
        annotated_fraction=fraction,
    )


def _validation(selection: Selection, task: TaskView, synthesis: Artifact | None) -> Halves:
    if selection == "pseudo-target" and synthesis is not None:
        return _by_presence(task, "source", "validation", pseudo_target(task, "validation", synthesis))[0]
    domain: Domain = "target" if selection == "oracle" else "source"
    return _by_presence(task, domain, "validation", domain_source(task, domain, "validation"))[0]


def _by_presence(task: TaskView, domain: Domain, split: SplitName, source: Source) -> tuple[Halves, Halves]:
    sides = [
        (subject, side, present)
        for subject in source.subjects
        for side, present in enumerate(task.presence(domain, split, subject))
    ]
    return (
        Halves(source, tuple((subject, side) for subject, side, present in sides if present)),
        Halves(source, tuple((subject, side) for subject, side, present in sides if not present)),
    )


def _annotated_only(source: Source) -> Source:
    return replace(source, subjects=tuple(name for name in source.subjects if source.mask(name) is not None))
