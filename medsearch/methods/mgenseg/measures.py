"""How well the parts of M-GenSeg do, one by one: what each group of weights is tuned for (section 4.3.2).

The paper tunes "for successful translation" and judges by eye. Here:

    validation/localisation    do residuals lie where the tumour is? Average precision of |Δ_PP| as a score of tumour,
                               over the brain of all diseased validation slices; a residual that is spread out, or
                               lies elsewhere, has no more than the tumour's share of the brain
    validation/diversity       do codes matter? `training.diversity`, over healthy validation slices
    validation/translation     how close does S^T come to T? Mean absolute difference over the brain, on patients seen
                               in both modalities: under "oracle" alone, which may see them
"""

import numpy as np
import torch

from medsearch.core.seeds import generator
from medsearch.methods.mgenseg.networks import MGenSegNet
from medsearch.methods.mgenseg.passes import Wanted
from medsearch.methods.mgenseg.validation import Validation
from medsearch.stages.context import StageContext
from medsearch.training.diversity import diversity, residuals
from medsearch.training.generative import from_presence
from medsearch.training.precision import autocast


@torch.no_grad()
def measured(net: MGenSegNet, validation: Validation, context: StageContext, wanted: Wanted) -> dict[str, float]:
    """What can be said under the recipe's weights and the selection rule; nothing of parts that no loss trains."""
    net.eval()
    size = context.runtime.at_once(validation.recipe.batch)
    found: dict[str, float] = {}
    with autocast(context.runtime):
        if wanted.generation:
            found["validation/localisation"] = _localisation(net, validation, context.runtime.device, size=size)
            if validation.recipe.translate == "both" and len(validation.main.healthy):
                found["validation/diversity"] = _diversity(net, validation, context, size=size)
        if wanted.translation and len(validation.paired[0]):
            found["validation/translation"] = _translation(net, validation, context.runtime.device, size=size)
    return found


def _localisation(net: MGenSegNet, validation: Validation, device: str, *, size: int) -> float:
    scores, truths = [], []
    route = validation.main
    genseg = net.of(route.seen_in)
    for batch in route.diseased.each(size):
        x = route.as_seen(net, batch.x.to(device))
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
    rng, values, route = generator(context.seed, "mgenseg", "diversity"), [], validation.main
    genseg, device = net.of(route.seen_in), context.runtime.device
    for batch in route.healthy.each(size):
        x = route.as_seen(net, batch.x.to(device))
        values.append(diversity(residuals(genseg, x, rng)))
    return float(torch.cat(values).mean())


def _translation(net: MGenSegNet, validation: Validation, device: str, *, size: int) -> float:
    error = brain = 0.0
    for x_s, x_t in validation.pairs(size):
        x_st = net.translate(net.encode_for_translation(x_s.to(device), "source"), "source").float().cpu()
        inside = (x_s != 0) & (x_t != 0)
        error += float((x_st - x_t).abs()[inside].sum())
        brain += float(inside.sum())
    return error / brain
