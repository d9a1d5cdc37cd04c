"""The sizes in which a method sees stacks of axial slices, each stack with a grid of its own."""

from typing import Annotated

from medsearch.core.errors import BadInput
from medsearch.core.ranges import HounsfieldUnits, Range
from medsearch.core.recipes import recipe

FIELD_OF_VIEW = 432.0
"""Width of a slice that holds a grown body, mm."""
MULTIPLE = 4
"""Generators halve a slice twice."""


@recipe
class AxialGeometry:
    """What becomes of a CT slice before a network sees it.

    slice_size: the side to which square slices are resized, pixels (paper 000, section 3: 512 to 128).
    window: the HU that become -1 and 1; what lies beyond is cut off. Paper 000 states none: air to dense bone.
    """

    slice_size: Annotated[int, Range(MULTIPLE, step=MULTIPLE)] = 128
    window: tuple[HounsfieldUnits, HounsfieldUnits] = (-1000.0, 1000.0)

    def __post_init__(self) -> None:
        """Refuse a window without values."""
        if not self.window[0] < self.window[1]:
            msg = f"geometry {self}: the window is (low, high) in HU, low < high"
            raise BadInput(msg)
