"""What `test_knobs` needs to know of every method: knobs that are inert, other values to try, and what a knob needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.methods.baselines.micro_baselines import ACCSEGNET, ATTENT, UAGAN, UNET
from tests.methods.cyclegan.micro_cyclegan import CYCLEGAN
from tests.methods.mgenseg.conftest import RECIPE as MGENSEG
from tests.methods.mgenseg.conftest import pipeline as mgenseg_pipeline
from tests.methods.ssbr_cyclegan.micro_ssbr import SSBR
from tests.micro import Small

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A method's knobs.

    inert: knobs that change nothing, with the reason. wiring: those that are nodes of the pipeline, and change none.
    others: values to try, where one more, half as much again or the opposite will not do.
    needs: what a knob needs to be seen at all. on: tasks that it needs, where `task` will not do.
    short: knobs that make all trainings short. nodes: the stage that the first part of a knob's path belongs to.
    translators: whether there are a last and a best translator to tell apart. synthesis: whether it is put to images of
    bodies, and not to heads with tumours.
    """

    small: Small
    others: Values
    inert: Mapping[str, str] = field(default_factory=dict)
    wiring: tuple[str, ...] = ()
    needs: Mapping[str, Values] = field(default_factory=dict)
    on: Mapping[str, Values] = field(default_factory=dict)
    short: Values = field(default_factory=lambda: {"segmentation.epochs": 1})
    task: Values = field(default_factory=lambda: {"source_labels": 0.5})
    nodes: Mapping[str, str] = field(default_factory=lambda: {"segmentation": "segmentation", "evaluation": "test"})
    translators: bool = False
    synthesis: bool = False


def under(stage: str, values: Values) -> dict[str, Any]:
    return {f"{stage}.{knob}": value for knob, value in values.items()}


ADAM: dict[str, Any] = {"optimiser.betas": (0.6, 0.999), "optimiser.weight_decay": 0.01, "optimiser.least": 5e-4}
DECAYING = {"optimiser.least": {"optimiser.decay_epochs": 1}}
SLICES = {"slices.diseased_share": 0.2, "slices.least_brain": 0.5}
EVALUATION = {
    "evaluation.scored": "halves",
    "evaluation.domain": "source",
    "evaluation.slices.diseased_share": 0.2,
    "evaluation.slices.least_brain": 0.5,
}
GENSEG = {"network.kernel": 5, "network.wide": 5, "network.head": 5, "network.skips": "concat"}


def twice(*stages: str) -> dict[str, dict[str, Any]]:
    """Epochs enough to validate in one of them alone; a rate that falls."""
    needs: dict[str, dict[str, Any]] = {}
    for stage in stages:
        needs[f"{stage}.validate_every"] = {f"{stage}.epochs": 2}
        needs |= {f"{stage}.{knob}": under(stage, values) for knob, values in DECAYING.items()}
    return needs


MODATTS = Walk(
    small=Small(),
    inert={
        "translation.discriminator.dimensions": "translation judges slices, whatever is asked",
        "segmentation.discriminator.dimensions": "it follows segmentation.network.dimensions",
    },
    wiring=("self_training.rounds", "ensemble.folds"),
    others={
        "translation.network.input_size": 48,
        "translation.network.units": (1, 2, 1),
        "translation.network.heads": 4,
        "translation.network.decoder": (8, 8, 4, 8),
        "translation.discriminator.dimensions": 3,
        "translation.discriminator.channels": (4, 12),
        "translation.discriminator.kernel": 5,
        "translation.discriminator.scales": 1,
        "translation.optimiser.betas": (0.6, 0.999),
        "translation.imagenet": __file__,  # no weights, and that is said
        "synthesis.checkpoint": "best",
        "segmentation.variant": "self-supervised",
        "segmentation.supervision": "source",
        "segmentation.decoders": "separate",
        "segmentation.translate": "presence-to-absence",
        "segmentation.network.dimensions": 2,
        "segmentation.network.channels": (4, 4, 4, 8, 12),
        "segmentation.network.scales": (2, 2, 1, 1),
        "segmentation.network.convs": (0, 1),
        "segmentation.network.attentions": (1, 1, 2),
        "segmentation.network.heads": (2, 2, 1),
        "segmentation.network.decoder_convs": (1, 2),
        "segmentation.network.fusion_channels": 12,
        "segmentation.network.fusion_heads": 4,
        "segmentation.discriminator.dimensions": 2,
        "segmentation.discriminator.channels": (4, 12),
        "segmentation.discriminator.kernel": 5,
        "segmentation.discriminator.scales": 1,
        "segmentation.discriminator.spectral_norm": True,
        "segmentation.weights.seg_schedule": "constant",
        "segmentation.tumour_intensity": 0.3,
        "segmentation.optimiser.betas": (0.6, 0.999),
        "self_training.threshold": 0.45,
        "self_training.uncertain": "ignore",
    },
    needs={
        "translation.validate_every": {"translation.epochs": 2},
        "segmentation.validate_every": {"segmentation.epochs": 2},
    },
    # a third of the tumours must be one at least
    on={"segmentation.tumour_upsampling": {"pairing": "overlap", "source_labels": 1.0}},
    short={"translation.epochs": 1, "segmentation.epochs": 1, "self_training.epochs": 1},
    nodes={
        "translation": "translation",
        "synthesis": "synthesis",
        "segmentation": "segmentation",
        "self_training": "self_training_1",
    },
    translators=True,
)
SUPERVISED_UNET = Walk(
    small=UNET,
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
CONTRASTED = {"segmentation.weights.nce": 1.0}
ACCSEG_NET = Walk(
    small=ACCSEGNET,
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
ATT_ENT = Walk(
    small=ATTENT,
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
UA_GAN = Walk(
    small=UAGAN,
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
M_GEN_SEG = Walk(
    small=Small(MGENSEG, mgenseg_pipeline),
    others={
        **under("segmentation", {**SLICES, **GENSEG}),
        **EVALUATION,
        "segmentation.network.channels": (4, 6, 12),
        "segmentation.network.wide": 3,
        "segmentation.discriminator.dimensions": 3,  # no network of slices, and that is said
        "segmentation.discriminator.channels": (4, 12),
        "segmentation.discriminator.kernel": 3,
        "segmentation.discriminator.scales": 1,
        "segmentation.modalities": "target",
        "segmentation.selected_on": "both",
        "segmentation.latent": "separate",
        "segmentation.translate": "presence-to-absence",
        "segmentation.translate_modality": "diseased",
        "segmentation.weights.seg_schedule": "by annotated fraction",
        "segmentation.optimiser.betas": (0.6, 0.999),
    },
    needs={"segmentation.validate_every": {"segmentation.epochs": 2}},
)
SSBR_CYCLEGAN = Walk(
    small=SSBR,
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
CYCLE_GAN = Walk(
    small=CYCLEGAN,
    others={knob: value for knob, value in SSBR_CYCLEGAN.others.items() if knob.startswith("translation.cyclegan")},
    short={},
    task={},
    nodes={"translation": "translation"},
    synthesis=True,
)
WALKS = {
    "cyclegan": CYCLE_GAN,
    "ssbr_cyclegan": SSBR_CYCLEGAN,
    "modatts": MODATTS,
    "mgenseg": M_GEN_SEG,
    "supervised_unet": SUPERVISED_UNET,
    "accsegnet": ACCSEG_NET,
    "attent": ATT_ENT,
    "uagan": UA_GAN,
}
