"""What a phantom cohort of abdomens is made from."""

from typing import Annotated, ClassVar

from medsearch.core import recipes
from medsearch.core.ranges import NonNegativeInt, PositiveInt, Range
from medsearch.core.recipes import recipe

ABDOMEN_VERSION = 1
"""Raised whenever the same specification yields other images."""


@recipe
class AbdomenSpec:
    """`cases` people without and as many with contrast agent, nobody in both, and `pairs` others seen both ways.

    `spacing`: of pixels, mm; slices are 432 mm wide, and a quarter to half again as far apart as pixels.
    """

    cases: PositiveInt = 12
    pairs: NonNegativeInt = 6
    spacing: Annotated[float, Range(0.8, 7)] = 4.5
    seed: NonNegativeInt = 0

    layout: ClassVar[str] = "abdominal_ct"

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        return 2 * self.cases + self.pairs

    @property
    def fingerprint(self) -> str:
        """Changes when the files would: with the specification, the layout, or their version."""
        return recipes.fingerprint([recipes.plain(self), self.layout, ABDOMEN_VERSION])


@recipe
class NiftiFoldersSpec(AbdomenSpec):
    """The same people in the generic folders."""

    layout: ClassVar[str] = "nifti_folders"
