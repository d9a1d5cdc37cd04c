"""What a stage is."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from medsearch.stages.context import StageContext


@dataclass(frozen=True)
class Epoch:
    """One epoch's record: losses as `train/<term>`, the selection metric as `validation/dice`."""

    number: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a finished stage says of itself; its files lie in the context's directory."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


Training = Generator[Epoch, None, Outcome]


class Stage(ABC):
    """A training phase: a recipe, the data it declares to read, and a generator that trains.

    Subclasses are frozen dataclasses with the single field `recipe`, importable without torch.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the stage's numbers move under equal inputs; part of the key."""

    recipe: Any

    @abstractmethod
    def reads(self) -> frozenset[str]:
        """The parts of the task that training may ask for (`data.views`); part of the key."""

    @abstractmethod
    def train(self, context: "StageContext") -> Training:
        """Train, yielding each epoch; closing the generator stops it at no loss but the running epoch.

        Raises:
            Diverged: a loss became non-finite.
        """
