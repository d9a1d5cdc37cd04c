"""Sizes of the body regressor. No torch here: recipes import it."""

from medsearch.core.ranges import PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale


@recipe
class RegressorConfig:
    """A ResNet of basic blocks, with one channel in and one number out; as it stands, ResNet-34.

    width: channels of the root and of the first of four stages; each stage after it has twice as many.
    units: blocks of the stages.
    """

    width: PositiveInt = 64
    units: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)

    @classmethod
    def at(cls, scale: Scale) -> "RegressorConfig":
        """The sizes for one scale."""
        return override(cls(), _SIZES[scale])


_SIZES: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 32, "units": (2, 2, 2, 2)},
    # With width 16, slices of unseen bodies that are paired by score lie 40-46 mm apart, with 32 25-28 mm (two seeds).
    "tiny": {"width": 32, "units": (1, 1, 1, 1)},
}
