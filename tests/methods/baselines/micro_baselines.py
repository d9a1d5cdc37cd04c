"""The baselines at a size that trains in a second, on the six heads of `tests.micro`.

Their numbers depend on no default of any scale, so that tests can hold them.
"""

from dataclasses import replace

from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.methods.baselines.unet.pipeline import pipeline as unet_pipeline
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe as UNetSegmentation
from medsearch.methods.baselines.unet.recipe import SupervisedUNetRecipe
from medsearch.networks.genseg.config import GenSegConfig
from tests.micro import Micro, Small

ADAM = AdamRecipe(lr=1e-3)
EPOCHS = {"epochs": 2, "batch": 6}

UNET = Small(
    SupervisedUNetRecipe(
        segmentation=UNetSegmentation(
            network=GenSegConfig(channels=(4, 6, 8), unique=2, wide=3, head=3), optimiser=ADAM, **EPOCHS
        )
    ),
    unet_pipeline,
)
METHODS = {"supervised_unet": UNET}


def of(micro: Micro, method: str) -> Micro:
    """The same heads and store for a baseline."""
    return replace(micro, of=METHODS[method])
