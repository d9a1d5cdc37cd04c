"""What a phantom cohort with vestibular schwannomas is made from."""

from typing import Annotated, ClassVar, Literal

from medsearch.core import recipes
from medsearch.core.errors import BadInput
from medsearch.core.ranges import Range
from medsearch.core.recipes import recipe
from medsearch.phantoms.spec import PhantomSpec
from medsearch.phantoms.vestibular.centres import LONDON, TILBURG, Centre

VESTIBULAR_VERSION = 1
"""Raised whenever the same specification yields other images."""

Part = Literal["source", "target", "test"]
CONTRASTS: dict[Part, str] = {"source": "ceT1", "target": "hrT2", "test": "hrT2"}


@recipe
class CrossModa2022Spec(PhantomSpec):
    """A cohort of `cases` subjects of two centres: a sixth of them for validation, half of the rest source.

    `spacing`: the in-plane voxel size of the finest files, mm; 0.41 gives the data set's own sizes, and every edge of
    every series grows by as much as it exceeds that. Every subject has a tumour, so `healthy` must stay 0.
    """

    cases: Annotated[int, Range(3)] = 48
    spacing: Annotated[float, Range(0.3, 5)] = 1.64

    layout: ClassVar[str] = "crossmoda2022"
    centres: ClassVar[tuple[Centre, ...]] = (LONDON, TILBURG)

    def __post_init__(self) -> None:
        if self.healthy:
            msg = f"every CrossMoDA case has a tumour, {self.healthy} healthy ones were asked for; leave that at 0"
            raise BadInput(msg)

    @property
    def fingerprint(self) -> str:
        """Changes when the images would: with the specification, the layout, their version, or the label maps."""
        return recipes.fingerprint([super().fingerprint, self.layout, VESTIBULAR_VERSION])

    def part(self, number: int) -> Part:
        """Where subject `number` (from 0) belongs: source cases come first, those for validation last."""
        test = max(1, round(self.cases / 6))
        source = (self.cases - test + 1) // 2
        return "source" if number < source else "target" if number < self.cases - test else "test"

    def centre(self, number: int) -> Centre:
        """Whose subject `number` is: the centres take turns."""
        return self.centres[number % len(self.centres)]

    def name(self, number: int) -> str:
        """The identifier of subject `number`: each centre counts its own."""
        centre = self.centre(number)
        return f"{centre.prefix}{centre.first + number // len(self.centres)}"


@recipe
class CrossModa2021Spec(CrossModa2022Spec):
    """The same with London's subjects only."""

    layout: ClassVar[str] = "crossmoda2021"
    centres: ClassVar[tuple[Centre, ...]] = (LONDON,)
