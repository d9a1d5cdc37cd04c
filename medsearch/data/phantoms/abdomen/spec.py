"""What a phantom cohort of abdomens is made from."""

from typing import ClassVar

from medsearch.core import recipes
from medsearch.core.errors import BadInput
from medsearch.core.recipes import recipe

ABDOMEN_VERSION = 1
"""Raised whenever the same specification yields other images."""


@recipe
class AbdomenSpec:
    """`cases` people without and as many with contrast agent, nobody in both, and `pairs` others seen both ways.

    `spacing`: of pixels, mm; slices are 432 mm wide, and a quarter to half again as far apart as pixels.
    """

    cases: int = 12
    pairs: int = 6
    spacing: float = 4.5
    seed: int = 0

    layout: ClassVar[str] = "abdominal_ct"

    def __post_init__(self) -> None:
        if self.cases < 1 or self.pairs < 0:
            msg = f"no phantom has {self.cases} cases per contrast and {self.pairs} pairs; ask for 1 case or more"
            raise BadInput(msg)
        if not 0.8 <= self.spacing <= 7:
            msg = f"an abdomen's spacing must lie in 0.8..7 mm, got {self.spacing}; 4.5 suits a quick look"
            raise BadInput(msg)

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
