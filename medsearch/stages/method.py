"""A method, as a study asks for it: a value that says what its settings mean as a recipe, and a recipe as stages."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, final, get_args

from medsearch.cohorts.views import Domain
from medsearch.core.errors import BadInput
from medsearch.networks.config import Scale
from medsearch.stages.pipelines import TEST, Node, Pipeline

Selection = Literal["source", "pseudo-target", "oracle", "none"]
"""What model selection may see: source labels, translated source labels, target labels, or nothing: with "none" the
weights of the last epoch count, whatever was measured on the way."""

SELECTING: dict[Selection, Domain] = {"source": "source", "pseudo-target": "source", "oracle": "target"}
"""Whose validation masks each rule looks at, of those that look at masks."""

OWN: dict[str, Selection] = {"source": "source", "target": "oracle"}
"""The rule of a training that sees one domain's labels alone, by the domain: it has no others to be selected on."""

BY_MASKS: tuple[Selection, ...] = tuple(SELECTING)
"""The rules of a method that is selected on validation masks."""


@final
@dataclass(frozen=True, kw_only=True)
class Method:
    """A published method, or one's own in a study's file:

        UNET = Method(name="unet", make_recipe=UNetRecipe.at, make_nodes=nodes)

    make_recipe: from `settings`, given by name, to the frozen dataclass whose leaves are the method's knobs.
    make_nodes: from a recipe and a selection rule to the stages that they mean, in order; the node named "test" is the
        only one that reads test cases.
    settings: what is chosen as a whole before any knob is set: a preset, a variant, always a scale.
    rules: the selection rules that the method knows; a study that declares another one is refused.
    wants: by preset, what it wants of the task; a study's own knobs come on top.
    title: how rows of a table record it; its name unless given.
    """

    name: str
    make_recipe: Callable[..., Any]
    make_nodes: Callable[[Any, Selection], Iterable[Node]]
    settings: Mapping[str, Any] = field(default_factory=lambda: {"scale": "paper"})
    rules: tuple[Selection, ...] = BY_MASKS
    wants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    title: str = ""

    def __str__(self) -> str:
        return f"{self.title or self.name}({', '.join(f'{name}={value!r}' for name, value in self.settings.items())})"

    @property
    def scale(self) -> str:
        """Which set of sizes the recipe has: tiny, small or paper."""
        scale: str = self.settings["scale"]
        return scale

    @cached_property
    def recipe(self) -> Any:
        """The values under these settings.

        Raises:
            BadInput: a setting has a value that the method does not know.

        """
        return self.make_recipe(**self.settings)

    @property
    def task_knobs(self) -> Mapping[str, Any]:
        """What the preset wants of the task."""
        return self.wants.get(self.settings.get("preset", ""), {})

    def configured(self, **settings: Any) -> "Method":
        """The same method with other settings, such as `variant="self-supervised"`.

        Raises:
            BadInput: it has no such setting.

        """
        if unknown := [name for name in settings if name not in self.settings]:
            msg = f"{self.title or self.name} has no setting {unknown[0]!r}; it has {', '.join(self.settings)}"
            raise BadInput(msg)
        return replace(self, settings={**self.settings, **settings})

    def at(self, scale: str) -> "Method":
        """The same method in another set of sizes."""
        return self.configured(scale=scale)

    def pipeline(self, recipe: Any, *, selection: Selection, test: bool = False) -> Pipeline:
        """The stages that `recipe` means; with `test` the one that reads test cases too.

        Raises:
            BadInput: the recipe names a file that is not there, or asks for what cannot be.

        """
        nodes = tuple(self.make_nodes(recipe, selection))
        return Pipeline(nodes if test else tuple(node for node in nodes if node.name != TEST))


def require_known(title: str, scale: str, preset: str = "", presets: Collection[str] = ("",)) -> None:
    """Refuse a scale that there is none of, and a preset that is not among those of a method.

    Raises:
        BadInput: with those that there are.

    """
    scales = get_args(Scale)
    if preset not in presets or scale not in scales:
        named = f"presets {', '.join(presets)} and " if preset or any(presets) else ""
        got = f"{preset!r} at {scale!r}" if named else repr(scale)
        msg = f"{title} has {named}scales {', '.join(scales)}; got {got}"
        raise BadInput(msg)
