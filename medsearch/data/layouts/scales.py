"""The sizes of stacks of axial CT slices, which no data set prescribes: slices are resized to a number of pixels."""

from collections.abc import Mapping
from types import MappingProxyType

from medsearch.data.geometry import AxialGeometry

AXIAL: Mapping[str, AxialGeometry] = MappingProxyType(
    {"tiny": AxialGeometry(slice_size=64), "small": AxialGeometry(), "paper": AxialGeometry()}
)
"""Paper 000's 128 x 128 pixels, and half of it for two CPU cores."""
