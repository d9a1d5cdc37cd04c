"""Which stages a recipe means, and what each takes from which.

    translation ─> synthesis ─┬─> segmentation ──────────> self_training_1 ────────────> ... ─┬─> test
                              or, with `ensemble.folds` k of 2 or more,                       │
                              ├─> segmentation_fold_1 ──> self_training_1_fold_1 ──> ... ─────┤
                              └─> segmentation_fold_k ──> self_training_1_fold_k ──> ... ─────┘

Folds cut the source side's training and validation cases, all of which synthesis translates; so one translator serves
all of them, and its own validation cases train some.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.files import digest
from medsearch.methods.modatts.recipe import MoDATTSRecipe
from medsearch.methods.modatts.stages import KNOB, WEIGHTS, Segmentation, SelfTraining, Synthesis, Test, Translation
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline


@dataclass(frozen=True)
class Fold:
    """One of the segmentors: what its nodes' names end in, and in which knobs of the task they differ."""

    suffix: str = ""
    task: Mapping[str, Any] = field(default_factory=dict)


def pipeline(recipe: MoDATTSRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """Translation, synthesis, segmentation and the rounds of self-training; or a reference's segmentation alone.

    A reference is selected on the labels it trains with, whatever the study's rule: it has no others.

    Raises:
        BadInput: the recipe names a file of weights that is not there, or a number of folds that cannot be.
    """
    folds = _folds(recipe)
    if recipe.segmentation.supervision == "pseudo-target":
        translation = _translation(recipe)
        chains = [list(_adaptation(recipe, selection, fold)) for fold in folds]
    else:
        translation = []
        own: Selection = "source" if recipe.segmentation.supervision == "source" else "oracle"
        stage = Segmentation(recipe=recipe.segmentation, selection=own)
        chains = [[Node(f"segmentation{fold.suffix}", stage, task=fold.task)] for fold in folds]
    nodes = [*translation, *(node for chain in chains for node in chain)]
    if test:
        nodes.append(_test(recipe, [chain[-1].name for chain in chains], adapted=bool(translation)))
    return Pipeline(tuple(nodes))


def _folds(recipe: MoDATTSRecipe) -> list[Fold]:
    """One without a suffix where the source is not cut: a model trained on target labels alone has no source."""
    count = recipe.ensemble.folds
    if count < 1:
        msg = f"knob 'ensemble.folds' is the number of segmentors that vote, 1 or more; got {count}"
        raise BadInput(msg)
    if count == 1 or recipe.segmentation.supervision == "target":
        return [Fold()]
    return [Fold(f"_fold_{number + 1}", {"folds": count, "fold": number}) for number in range(count)]


def _translation(recipe: MoDATTSRecipe) -> list[Node]:
    imagenet = digest(recipe.translation.imagenet, knob=KNOB, wanted=WEIGHTS)
    return [
        Node("translation", Translation(recipe=recipe.translation, imagenet=imagenet)),
        Node(
            "synthesis",
            Synthesis(recipe=recipe.synthesis, translation=recipe.translation),
            {"translation": "translation"},
        ),
    ]


def _adaptation(recipe: MoDATTSRecipe, selection: Selection, fold: Fold) -> Iterator[Node]:
    """The segmentor of one fold, and its rounds of self-training."""
    stage = Segmentation(recipe=recipe.segmentation, selection=selection)
    name = f"segmentation{fold.suffix}"
    yield Node(name, stage, {"synthesis": "synthesis"}, fold.task)
    one_round = dataclasses.replace(recipe.self_training, rounds=1)  # a round does not depend on how many follow
    student = SelfTraining(recipe=one_round, segmentation=recipe.segmentation, selection=selection)
    for number in range(1, recipe.self_training.rounds + 1):
        teacher, name = name, f"self_training_{number}{fold.suffix}"
        yield Node(name, student, {"teacher": teacher, "synthesis": "synthesis"}, fold.task)


def _test(recipe: MoDATTSRecipe, segmentors: list[str], *, adapted: bool) -> Node:
    translation = recipe.translation if adapted else None
    stage = Test(recipe=recipe.segmentation, translation=translation, synthesis=recipe.synthesis)
    roles = ["segmentor"] if len(segmentors) == 1 else [f"segmentor_{place}" for place in range(1, len(segmentors) + 1)]
    upstream = dict(zip(roles, segmentors, strict=True)) | ({"translation": "translation"} if adapted else {})
    return Node("test", stage, upstream)
