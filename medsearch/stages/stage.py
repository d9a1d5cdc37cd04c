"""A stage: what a training phase declares without torch, and the generator that trains it."""

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
        batch = getattr(self.recipe, "batch", None)
        return batch if isinstance(batch, int) else None

    @property
    def epochs(self) -> int | None:
        """How many epochs a whole training has, as the recipe says; None where it does not."""
        epochs = getattr(self.recipe, "epochs", None)
        return epochs if isinstance(epochs, int) else None

    @abstractmethod
    def reads(self) -> frozenset[str]:
        """The parts of the task that training may ask for (`cohorts.views`); part of the key."""

    @abstractmethod
    def train(self, context: "StageContext[Any]") -> Training:
        """Train, yielding each epoch; closing the generator stops it at no loss but the running epoch.

        Raises:
            Diverged: a loss became non-finite.

        """
