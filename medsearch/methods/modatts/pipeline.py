"""Which stages a recipe means, and what each takes from which."""

import dataclasses
import hashlib
from functools import lru_cache
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.recipe import MoDATTSRecipe
from medsearch.methods.modatts.stages import Segmentation, SelfTraining, Synthesis, Test, Translation
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline


def pipeline(recipe: MoDATTSRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """Translation, synthesis, segmentation and the rounds of self-training; or a reference's segmentation alone.

    A reference is selected on the labels it trains with, whatever the study's rule: it has no others.

    Raises:
        BadInput: the recipe names a file of weights that is not there.
    """
    if recipe.segmentation.supervision == "pseudo-target":
        nodes = _adaptation(recipe, selection)
    else:
        own: Selection = "source" if recipe.segmentation.supervision == "source" else "oracle"
        nodes = [Node("segmentation", Segmentation(recipe=recipe.segmentation, selection=own))]
    if test:
        nodes.append(_test(recipe, nodes))
    return Pipeline(tuple(nodes))


def _adaptation(recipe: MoDATTSRecipe, selection: Selection) -> list[Node]:
    imagenet = _digest(recipe.translation.imagenet)
    nodes = [
        Node("translation", Translation(recipe=recipe.translation, imagenet=imagenet)),
        Node(
            "synthesis",
            Synthesis(recipe=recipe.synthesis, translation=recipe.translation),
            {"translation": "translation"},
        ),
        Node("segmentation", Segmentation(recipe=recipe.segmentation, selection=selection), {"synthesis": "synthesis"}),
    ]
    one_round = dataclasses.replace(recipe.self_training, rounds=1)  # a round does not depend on how many follow
    for number in range(1, recipe.self_training.rounds + 1):
        stage = SelfTraining(recipe=one_round, segmentation=recipe.segmentation, selection=selection)
        nodes.append(
            Node(f"self_training_{number}", stage, {"teacher": nodes[-1].name, "synthesis": "synthesis"}),
        )
    return nodes


def _test(recipe: MoDATTSRecipe, nodes: list[Node]) -> Node:
    adapted = nodes[0].name == "translation"
    translation = recipe.translation if adapted else None
    stage = Test(recipe=recipe.segmentation, translation=translation, synthesis=recipe.synthesis)
    upstream = {"segmentor": nodes[-1].name} | ({"translation": "translation"} if adapted else {})
    return Node("test", stage, upstream)


def _digest(imagenet: str) -> str:
    """What the weights at a path are; a missing file is refused when the study is loaded, not when a stage begins."""
    if not imagenet:
        return ""
    path = Path(imagenet)
    if not path.is_file():
        msg = f"knob 'translation.imagenet': no file {imagenet!r}; give the path of R50+ViT-B_16.npz, or an empty one"
        raise BadInput(msg)
    state = path.stat()
    return _content(imagenet, state.st_size, state.st_mtime_ns)


@lru_cache
def _content(path: str, size: int, changed: int) -> str:  # noqa: ARG001 - a changed file is another one
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
