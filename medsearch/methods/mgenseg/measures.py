"""How well the parts of M-GenSeg do, one by one: what each group of weights is tuned for (section 4.3.2).

The paper tunes "for successful translation" and judges by eye. Here:

    validation/localisation    do residuals lie where the tumour is? Average precision of |Δ_PP| as a score of tumour,
                               over the brain of all diseased validation slices; a residual that is spread out, or
                               lies elsewhere, has no more than the tumour's share of the brain
    validation/diversity       do codes matter? Mean over healthy slices and pairs of sampled codes k, l of
                               |Δ_k - Δ_l| / (|Δ_k| + |Δ_l|), norms being L1: 0 where every code makes the same tumour,
                               or none (mode dropping, section 5.5.1), 1 where no two tumours overlap
    validation/translation     how close does S^T come to T? Mean absolute difference over the brain, on patients seen
                               in both modalities: under "oracle" alone, which may see them
"""

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from medsearch.core.seeds import generator
from medsearch.methods.mgenseg.networks import GenSeg, MGenSegNet
from medsearch.methods.mgenseg.passes import Wanted
from medsearch.methods.mgenseg.validation import Validation
from medsearch.stages.context import StageContext
from medsearch.training.generative import from_presence
from medsearch.training.precision import autocast

CODES = 4
"""Sampled for every healthy slice."""
FAINT = 1e-3
"""Mean absolute residual of an image below which there is no tumour to tell from another."""


@torch.no_grad()
def measured(net: MGenSegNet, validation: Validation, context: StageContext, wanted: Wanted) -> dict[str, float]:
    """What can be said under the recipe's weights and the selection rule; nothing of parts that no loss trains."""
    net.eval()
    size = context.runtime.at_once(validation.recipe.batch)
    found: dict[str, float] = {}
    with autocast(context.runtime):
        if wanted.generation:
            found["validation/localisation"] = _localisation(net, validation, context.runtime.device, size=size)
            if validation.recipe.translate == "both" and len(validation.healthy):
                found["validation/diversity"] = _diversity(net, validation, context, size=size)
        if wanted.translation and validation.paired:
            found["validation/translation"] = _translation(net, validation, context.runtime.device, size=size)
    return found


def _localisation(net: MGenSegNet, validation: Validation, device: str, *, size: int) -> float:
    scores, truths = [], []
    for batch in validation.annotated(size):
        x = validation.as_seen(net, batch.x.to(device))
        genseg = net.of(validation.seen_in)
        residual = from_presence(genseg, x, genseg.encoder(x)).delta_pp.abs().cpu()
        brain = batch.x != 0
        scores.append(residual[brain])
        truths.append(batch.y[brain])
    return average_precision(torch.cat(scores).numpy(), torch.cat(truths).numpy())


def average_precision(scores: np.ndarray, truths: np.ndarray) -> float:
    """The area under precision over recall as the score's threshold falls; the share of truths for a random score."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truths > 0, scores))


def _diversity(net: MGenSegNet, validation: Validation, context: StageContext, *, size: int) -> float:
    rng, values = generator(context.seed, "mgenseg", "diversity"), []
    genseg, device = net.of(validation.seen_in), context.runtime.device
    for batch in validation.healthy.each(size):
        x = validation.as_seen(net, batch.x.to(device))
        values.append(diversity(residuals(genseg, x, rng)))
    return float(torch.cat(values).mean())


def residuals(genseg: GenSeg, x_a: Tensor, rng: np.random.Generator) -> Tensor:
    """Synthetic tumours of healthy images under several codes (Eq. 4.2): (codes, b, 1, h, w)."""
    codes = genseg.encoder(x_a)
    shape = (CODES, *codes.unique.shape)
    sampled = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(x_a.device)
    return torch.stack([genseg.residual(codes.with_unique(u)).float() for u in sampled])


def diversity(deltas: Tensor) -> Tensor:
    """Of residuals (codes, b, 1, h, w), by image: mean over pairs of codes of |Δ_k - Δ_l| / (|Δ_k| + |Δ_l|), L1.

    0 for an image that no code puts a tumour on.
    """
    flat = deltas.flatten(2)
    size = flat.abs().mean(2)
    pairs = [
        ((flat[k] - flat[j]).abs().mean(1) / (size[k] + size[j]).clamp(min=FAINT))
        for k, j in combinations(range(len(flat)), 2)
    ]
    told: Tensor = torch.stack(pairs).mean(0)
    return torch.where(size.mean(0) < FAINT, torch.zeros_like(told), told)


def _translation(net: MGenSegNet, validation: Validation, device: str, *, size: int) -> float:
    error = brain = 0.0
    for x_s, x_t in validation.pairs(size):
        x_st = net.translate(net.encode_for_translation(x_s.to(device), "source"), "source").float().cpu()
        inside = (x_s != 0) & (x_t != 0)
        error += float((x_st - x_t).abs()[inside].sum())
        brain += float(inside.sum())
    return error / brain
