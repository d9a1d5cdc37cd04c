"""stub"""

from medsearch.core.recipes import recipe


@recipe
class AxialGeometry:
    slice_size: int = 128
    window: tuple[float, float] = (-1000.0, 1000.0)
