from tests.micro import MICRO_MODATTS
from tests.walk import Walk

MODATTS = Walk(
    small=MICRO_MODATTS,
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
WALKS = {"modatts": MODATTS}
