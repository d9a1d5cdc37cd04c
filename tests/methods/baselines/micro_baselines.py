"""The baselines at a size that trains in a second, on the six heads of `tests.micro`.

Their numbers depend on no default of any scale, so that tests can hold them.
"""

from dataclasses import replace
from typing import Any

from medsearch.core.recipes import override
from medsearch.methods.baselines import ACCSEGNET, ATTENT, SUPERVISED_UNET, UAGAN
from medsearch.methods.baselines.accsegnet.recipe import OFFICIAL, AccSegNetRecipe, PatchNCERecipe, SqueezeUNetConfig
from medsearch.methods.baselines.accsegnet.recipe import SegmentationRecipe as AccSegNetSegmentation
from medsearch.methods.baselines.attent.recipe import (
    AttENTRecipe,
    DeepLabConfig,
    MapDiscriminatorConfig,
    TranslationRecipe,
)
from medsearch.methods.baselines.attent.recipe import SegmentationRecipe as AttENTSegmentation
from medsearch.methods.baselines.recipe import PLAIN, AdamRecipe
from medsearch.methods.baselines.uagan.recipe import OFFICIAL as UAGAN_DIFFERS
from medsearch.methods.baselines.uagan.recipe import JudgeConfig, UAGANConfig, UAGANRecipe
from medsearch.methods.baselines.uagan.recipe import SegmentationRecipe as UAGANSegmentation
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe as UNetSegmentation
from medsearch.methods.baselines.unet.recipe import SupervisedUNetRecipe
from medsearch.networks.config import GenSegConfig, PatchDiscriminatorConfig, ResNetGeneratorConfig
from tests.micro import Micro, small

ADAM = AdamRecipe(lr=1e-3)
EPOCHS: dict[str, Any] = {"epochs": 2, "batch": 6}

MICRO_SUPERVISED_UNET = small(
    SUPERVISED_UNET,
    SupervisedUNetRecipe(
        segmentation=UNetSegmentation(
            network=GenSegConfig(channels=(4, 6, 8), unique=2, wide=3, head=3), optimiser=ADAM, **EPOCHS
        )
    ),
)
MICRO_ACCSEGNET = small(
    ACCSEGNET,
    AccSegNetRecipe(
        segmentation=AccSegNetSegmentation(
            generator=ResNetGeneratorConfig(
                width=4, blocks=1, down="anti-aliased", up="anti-aliased", initialisation="xavier"
            ),
            discriminator=PatchDiscriminatorConfig(width=4, layers=1, down="anti-aliased", initialisation="xavier"),
            network=SqueezeUNetConfig(width=4, levels=3),
            patches=PatchNCERecipe(layers=(0, 4, 12), places=16, width=8),
            optimiser=ADAM,
            **EPOCHS,
        )
    ),
)
SHORT: dict[str, Any] = {"segmentation.epochs": 2, "segmentation.batch": 6, "segmentation.optimiser.decay_epochs": 1}
MICRO_ACCSEGNET_OFFICIAL = small(ACCSEGNET, override(MICRO_ACCSEGNET.recipe, {**OFFICIAL, **SHORT}))
MICRO_ATTENT = small(
    ATTENT,
    AttENTRecipe(
        translation=TranslationRecipe(
            generator=ResNetGeneratorConfig(width=4, blocks=1, up="bilinear", skips="gated", initialisation="default"),
            discriminator=PatchDiscriminatorConfig(width=4, layers=1, initialisation="default"),
            optimiser=ADAM,
            **EPOCHS,
        ),
        segmentation=AttENTSegmentation(
            network=DeepLabConfig(width=2, units=(1, 1, 1, 1), dilations=(1, 2)),
            discriminator=MapDiscriminatorConfig(channels=(4, 8)),
            optimiser=replace(PLAIN, lr=1e-3),
            **EPOCHS,
        ),
    ),
)
MICRO_UAGAN = small(
    UAGAN,
    UAGANRecipe(
        segmentation=UAGANSegmentation(
            network=UAGANConfig(width=4, levels=2),
            discriminator=JudgeConfig(width=4, layers=3),
            optimiser=replace(PLAIN, lr=1e-3),
            epochs=2,
            batch=3,
        )
    ),
)
SMALLER: dict[str, Any] = {
    **UAGAN_DIFFERS,
    "segmentation.network.levels": 2,
    "segmentation.epochs": 2,
    "segmentation.batch": 3,
    "segmentation.optimiser.decay_epochs": 1,
    "segmentation.weights.shape_epochs": 1,
}
MICRO_UAGAN_OFFICIAL = small(UAGAN, override(MICRO_UAGAN.recipe, SMALLER))
METHODS = {
    "uagan": MICRO_UAGAN,
    "uagan_official": MICRO_UAGAN_OFFICIAL,
    "attent": MICRO_ATTENT,
    "supervised_unet": MICRO_SUPERVISED_UNET,
    "accsegnet": MICRO_ACCSEGNET,
    "accsegnet_official": MICRO_ACCSEGNET_OFFICIAL,
}


def of(micro: Micro, method: str) -> Micro:
    """The same heads and store for a baseline."""
    return replace(micro, of=METHODS[method])
