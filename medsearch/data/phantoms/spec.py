"""What a phantom cohort is made from."""

import hashlib
from pathlib import Path
from typing import Protocol

from medsearch.core import recipes
from medsearch.core.errors import BadInput
from medsearch.core.recipes import recipe

PHANTOM_VERSION = 1
"""Raised whenever the same specification yields other images."""


class Specification(Protocol):
    """What every phantom cohort is made from: a recipe of its own, by which the cohort is known."""

    @property
    def fingerprint(self) -> str:
        """Changes when the files would."""
        ...

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        ...


@recipe
class PhantomSpec:
    """A phantom cohort: `cases` subjects, the last `healthy` of them without a tumour, at `spacing` mm.

    `anatomy`: a folder of label maps (see `templates`) whose heads are used in turn, instead of MNI152.
    """

    cases: int = 40
    spacing: float = 4.0
    seed: int = 0
    anatomy: str | None = None
    healthy: int = 0

    def __post_init__(self) -> None:
        if self.cases < 1 or not 0 <= self.healthy <= self.cases:
            msg = f"no phantom has {self.cases} cases with {self.healthy} healthy among them; ask for 1 case or more"
            raise BadInput(msg)
        if not 0.5 <= self.spacing <= 10:
            msg = f"a phantom's spacing must lie in 0.5..10 mm, got {self.spacing}; 4 suits a quick look, 1 is BraTS's"
            raise BadInput(msg)

    @property
    def subjects(self) -> int:
        """How many people there will be."""
        return self.cases

    @property
    def fingerprint(self) -> str:
        """Changes when the images would: with the specification, its version, or the content of the label maps."""
        from medsearch.data.phantoms.templates import label_maps

        maps = [] if self.anatomy is None else label_maps(Path(self.anatomy))
        digests = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in maps]
        plain = {**recipes.plain(self), "anatomy": digests, "version": PHANTOM_VERSION}
        return recipes.fingerprint(plain)
