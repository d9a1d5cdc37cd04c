"""What a stage is."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from medsearch.training.epochs import Epoch, Outcome

if TYPE_CHECKING:
    from medsearch.stages.context import StageContext


__all__ = ["Epoch", "Outcome", "Stage", "Training"]

Training = Generator[Epoch, None, Outcome]


class Stage(ABC):
    """A training phase: a recipe, the data it declares to read, and a generator that trains.

    Subclasses are frozen dataclasses, importable without torch; every field is part of the stage's key.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the stage's numbers move under equal inputs; part of the key."""

    recipe: Any

    @property
    def batch(self) -> int | None:
        """Samples of a whole optimiser step, which may be accumulated from parts; None where its recipe has none."""
        found = getattr(self.recipe, "batch", None)
        return found if isinstance(found, int) else None

    @property
    def epochs(self) -> int | None:
        """Of a whole training, as its recipe says; None where it does not."""
        found = getattr(self.recipe, "epochs", None)
        return found if isinstance(found, int) else None

    @abstractmethod
    def reads(self) -> frozenset[str]:
        """The parts of the task that training may ask for (`data.views`); part of the key."""

    @abstractmethod
    def train(self, context: "StageContext[Any]") -> Training:
        """Train, yielding each epoch; closing the generator stops it at no loss but the running epoch.

        Raises:
            Diverged: a loss became non-finite.

        """
