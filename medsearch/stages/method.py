"""What a study asks of a method."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from medsearch.data.views import Domain

if TYPE_CHECKING:
    from medsearch.stages.pipelines import Pipeline

Selection = Literal["source", "pseudo-target", "oracle", "none"]
"""What model selection may see: source labels, translated source labels, target labels, or nothing: with "none" the
weights of the last epoch count, whatever was measured on the way."""

SELECTING: dict[Selection, Domain] = {"source": "source", "pseudo-target": "source", "oracle": "target"}
"""Whose validation masks each rule looks at, of those that look at masks."""

BY_MASKS: tuple[Selection, ...] = tuple(SELECTING)
"""The rules of a method that is selected on validation masks."""


class Method(Protocol):
    """A published method: a recipe with the paper's defaults, and the pipeline that a recipe means."""

    @property
    def name(self) -> str:
        """The package's name."""

    @property
    def scale(self) -> str:
        """Which set of sizes the recipe has: tiny, small or paper."""

    @property
    def recipe(self) -> Any:
        """The frozen dataclass whose leaves are the method's knobs."""

    @property
    def task_knobs(self) -> Mapping[str, Any]:
        """What the method's preset wants of the task; a study's own knobs come on top."""

    @property
    def rules(self) -> tuple[Selection, ...]:
        """The selection rules that the method knows; a study that declares another one is refused."""

    def at(self, scale: str) -> "Method":
        """The same method in another set of sizes."""

    def pipeline(self, recipe: Any, *, selection: Selection, test: bool = False) -> "Pipeline":
        """The stages that `recipe` means; `test` appends the only node that reads test cases."""
