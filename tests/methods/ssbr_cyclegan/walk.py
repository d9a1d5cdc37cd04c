from tests.methods.ssbr_cyclegan.micro_ssbr import MICRO_SSBR
from tests.walk import Walk

SSBR_CYCLEGAN = Walk(
    small=MICRO_SSBR,
    inert={"translation.cached_scores": "it changes when scores are computed, not what they are"},
    others={
        "regressor.network.units": (1, 2, 1, 1),
        "regressor.imagenet": __file__,  # no weights, and that is said
        "regressor.optimiser.betas": (0.6, 0.999),
        "regressor.optimiser.weight_decay": 0.1,
        "regressor.stacks": "random",
        "translation.cyclegan.generator.down": "anti-aliased",
        "translation.cyclegan.generator.up": "bilinear",
        "translation.cyclegan.generator.skips": "gated",
        "translation.cyclegan.generator.initialisation": "xavier",
        "translation.cyclegan.discriminator.down": "anti-aliased",
        "translation.cyclegan.discriminator.initialisation": "xavier",
        "translation.cyclegan.optimiser.betas": (0.6, 0.999),
        "translation.cyclegan.optimiser.weight_decay": 0.1,
        "translation.selection": "position",
        "translation.cached_scores": False,
    },
    needs={"translation.jitter": {"translation.selection": "position"}},
    short={},
    task={},
    nodes={"regressor": "regressor", "translation": "translation", "inference": "test"},
    synthesis=True,
)
WALKS = {"ssbr_cyclegan": SSBR_CYCLEGAN}
