from tests.methods.mgenseg.conftest import MICRO_MGENSEG
from tests.walk import EVALUATION, GENSEG, SLICES, Walk, under

MGENSEG = Walk(
    small=MICRO_MGENSEG,
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
WALKS = {"mgenseg": MGENSEG}
