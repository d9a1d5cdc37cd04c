from tests.methods.baselines.micro_baselines import MICRO_ACCSEGNET, MICRO_ATTENT, MICRO_SUPERVISED_UNET, MICRO_UAGAN
from tests.walk import ADAM, EVALUATION, GENSEG, SLICES, Walk, twice, under

CONTRASTED = {"segmentation.weights.nce": 1.0}
SUPERVISED_UNET = Walk(
    small=MICRO_SUPERVISED_UNET,
    inert={"segmentation.network.unique": "nothing is disentangled: both codes are one bottleneck"},
    others={
        **under("segmentation", {**ADAM, **SLICES, **GENSEG}),
        **EVALUATION,
        "segmentation.supervision": "target",
        "segmentation.network.channels": (4, 6, 12),
        "segmentation.network.unique": 3,
    },
    needs=twice("segmentation"),
)
ACCSEGNET = Walk(
    small=MICRO_ACCSEGNET,
    others={
        **under("segmentation", {**ADAM, **SLICES}),
        **EVALUATION,
        "segmentation.form": "contrastive",
        "segmentation.adversarial": "least-squares",
        "segmentation.dice": "squared",
        "segmentation.generator.down": "strided",
        "segmentation.generator.up": "transposed",
        "segmentation.generator.skips": "gated",
        "segmentation.generator.initialisation": "normal",
        "segmentation.discriminator.down": "strided",
        "segmentation.discriminator.initialisation": "normal",
        "segmentation.weights.nce": 1.0,
        "segmentation.weights.mind": 1.0,
        "segmentation.patches.layers": (0, 4, 8),
    },
    needs={
        **twice("segmentation"),
        **{f"segmentation.patches.{knob}": CONTRASTED for knob in ("layers", "places", "temperature", "width")},
    },
)
ATTENT = Walk(
    small=MICRO_ATTENT,
    others={
        **under("translation", ADAM),
        **under("segmentation", {**ADAM, **SLICES}),
        **EVALUATION,
        "translation.generator.down": "anti-aliased",
        "translation.generator.up": "transposed",
        "translation.generator.skips": "none",
        "translation.generator.initialisation": "xavier",
        "translation.discriminator.down": "anti-aliased",
        "translation.discriminator.initialisation": "xavier",
        "segmentation.translator": "best",
        "segmentation.network.units": (1, 1, 2, 1),
        "segmentation.network.dilations": (1, 3),
        "segmentation.discriminator.channels": (4, 12),
        "segmentation.deeplab": __file__,  # no weights, and that is said
    },
    needs=twice("translation", "segmentation"),
    short={"translation.epochs": 1, "segmentation.epochs": 1},
    nodes={"translation": "translation", "segmentation": "segmentation", "evaluation": "test"},
    translators=True,
)
UAGAN = Walk(
    small=MICRO_UAGAN,
    others={
        **under("segmentation", {**ADAM, **SLICES}),
        **EVALUATION,
        "segmentation.adversarial": "wasserstein",
        "segmentation.loss": "cross-entropy",
        "segmentation.tumour_weight": 0.5,
        "segmentation.asked": "other",
        "segmentation.weights.gp": 5.0,
    },
    needs={**twice("segmentation"), "segmentation.tumour_weight": {"segmentation.loss": "cross-entropy"}},
)
WALKS = {"supervised_unet": SUPERVISED_UNET, "accsegnet": ACCSEGNET, "attent": ATTENT, "uagan": UAGAN}
