from dataclasses import replace

import pytest

from medsearch.methods.mgenseg import MGENSEG
from medsearch.methods.mgenseg.recipe import MGenSegRecipe, SegmentationRecipe
from medsearch.networks.config import DiscriminatorConfig, GenSegConfig
from tests.micro import OPTIMISER, Micro, small

RECIPE = MGenSegRecipe(
    segmentation=SegmentationRecipe(
        network=GenSegConfig(channels=(4, 6, 8), unique=3, head=3),
        discriminator=DiscriminatorConfig(channels=(4, 8), kernel=4, scales=2, spectral_norm=True),
        optimiser=OPTIMISER,
        epochs=2,
        batch=4,
    )
)


MICRO_MGENSEG = small(MGENSEG, RECIPE)


@pytest.fixture(scope="session")
def heads(micro: Micro) -> Micro:
    """M-GenSeg on the six heads."""
    return replace(micro, of=MICRO_MGENSEG)
