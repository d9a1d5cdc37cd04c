"""Sizes of the body regressor. No torch here: recipes import it."""

from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale, refuse


@recipe
class RegressorConfig:
    """A ResNet of basic blocks, with one channel in and one number out; as it stands, ResNet-34.

    width: channels of the root and of the first of four stages; each stage after it has twice as many.
    units: blocks of the stages.
    """

    width: int = 64
    units: tuple[int, int, int, int] = (3, 4, 6, 3)

    @classmethod
    def at(cls, scale: Scale) -> "RegressorConfig":
        """The sizes for one scale."""
        return override(cls(), _SIZES[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse(
            (self.width < 1, f"width {self.width} must be 1 or more"),
            (min(self.units) < 1, f"units {self.units} leave a stage empty; each must be 1 or more"),
        )


_SIZES: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 32, "units": (2, 2, 2, 2)},
    # With width 16, slices of unseen bodies that are paired by score lie 40-46 mm apart, with 32 25-28 mm (two seeds).
    "tiny": {"width": 32, "units": (1, 1, 1, 1)},
}
