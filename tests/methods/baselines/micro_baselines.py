"""The baselines at a size that trains in a second, on the six heads of `tests.micro`.

Their numbers depend on no default of any scale, so that tests can hold them.
"""

from dataclasses import replace
from typing import Any

from medsearch.core.recipes import override
from medsearch.methods.baselines.accsegnet.config import SqueezeUNetConfig
from medsearch.methods.baselines.accsegnet.pipeline import pipeline as accsegnet_pipeline
from medsearch.methods.baselines.accsegnet.recipe import OFFICIAL, AccSegNetRecipe, PatchNCERecipe
from medsearch.methods.baselines.accsegnet.recipe import SegmentationRecipe as AccSegNetSegmentation
from medsearch.methods.baselines.attent.config import DeepLabConfig, MapDiscriminatorConfig
from medsearch.methods.baselines.attent.pipeline import pipeline as attent_pipeline
from medsearch.methods.baselines.attent.recipe import AttENTRecipe, TranslationRecipe
from medsearch.methods.baselines.attent.recipe import SegmentationRecipe as AttENTSegmentation
from medsearch.methods.baselines.recipe import PLAIN, AdamRecipe
from medsearch.methods.baselines.uagan.config import JudgeConfig, UAGANConfig
from medsearch.methods.baselines.uagan.pipeline import pipeline as uagan_pipeline
from medsearch.methods.baselines.uagan.recipe import OFFICIAL as UAGAN_DIFFERS
from medsearch.methods.baselines.uagan.recipe import SegmentationRecipe as UAGANSegmentation
from medsearch.methods.baselines.uagan.recipe import UAGANRecipe
from medsearch.methods.baselines.unet.pipeline import pipeline as unet_pipeline
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe as UNetSegmentation
from medsearch.methods.baselines.unet.recipe import SupervisedUNetRecipe
from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.genseg.config import GenSegConfig
from tests.micro import Micro, Small

ADAM = AdamRecipe(lr=1e-3)
EPOCHS: dict[str, Any] = {"epochs": 2, "batch": 6}

UNET = Small(
    SupervisedUNetRecipe(
        segmentation=UNetSegmentation(
            network=GenSegConfig(channels=(4, 6, 8), unique=2, wide=3, head=3), optimiser=ADAM, **EPOCHS
        )
    ),
    unet_pipeline,
)
ACCSEGNET = Small(
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
    accsegnet_pipeline,
)
SHORT: dict[str, Any] = {"segmentation.epochs": 2, "segmentation.batch": 6, "segmentation.optimiser.decay_epochs": 1}
ACCSEGNET_OFFICIAL = Small(override(ACCSEGNET.recipe, {**OFFICIAL, **SHORT}), accsegnet_pipeline)
ATTENT = Small(
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
    attent_pipeline,
)
UAGAN = Small(
    UAGANRecipe(
        segmentation=UAGANSegmentation(
            network=UAGANConfig(width=4, levels=2),
            discriminator=JudgeConfig(width=4, layers=3),
            optimiser=replace(PLAIN, lr=1e-3),
            epochs=2,
            batch=3,
        )
    ),
    uagan_pipeline,
)
SMALLER: dict[str, Any] = {
    **UAGAN_DIFFERS,
    "segmentation.network.levels": 2,
    "segmentation.epochs": 2,
    "segmentation.batch": 3,
    "segmentation.optimiser.decay_epochs": 1,
    "segmentation.weights.shape_epochs": 1,
}
UAGAN_OFFICIAL = Small(override(UAGAN.recipe, SMALLER), uagan_pipeline)
METHODS = {
    "uagan": UAGAN,
    "uagan_official": UAGAN_OFFICIAL,
    "attent": ATTENT,
    "supervised_unet": UNET,
    "accsegnet": ACCSEGNET,
    "accsegnet_official": ACCSEGNET_OFFICIAL,
}


def of(micro: Micro, method: str) -> Micro:
    """The same heads and store for a baseline."""
    return replace(micro, of=METHODS[method])
