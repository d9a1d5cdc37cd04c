"""What is looked at to pick the best epoch and to tune weights, and through which networks, by selection rule.

How well the parts of M-GenSeg do one by one is what each group of weights is tuned for (section 4.3.2). The paper tunes
"for successful translation" and judges by eye. Here:

    validation/localisation    do residuals lie where the tumour is? Average precision of |Δ_PP| as a score of tumour,
                               over the brain of all diseased validation slices; a residual that is spread out, or
                               lies elsewhere, has no more than the tumour's share of the brain
    validation/diversity       do codes matter? `training.generative.diversity`, over healthy validation slices
    validation/translation     how close does S^T come to T? Mean absolute difference over the brain, on patients seen
                               in both modalities: under "oracle" alone, which may see them
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from medsearch.cohorts.patches import HemispherePatches, hemisphere_slices, hemisphere_volumes
from medsearch.cohorts.views import Domain, TaskView
from medsearch.core.errors import BadInput
from medsearch.core.seeds import generator
from medsearch.methods.mgenseg.networks import MGenSegNet, Wanted
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import SELECTING, Selection
from medsearch.training.crops import Crops
from medsearch.training.generative import diversity, from_presence, residuals
from medsearch.training.precision import autocast


@dataclass(frozen=True)
class Route:
    """Diseased and healthy validation slices of `domain`, which are looked at in `seen_in`.

    Under "pseudo-target" these differ: source slices are translated first.
    """

    domain: Domain
    seen_in: Domain
    diseased: Crops
    healthy: Crops

    def as_seen(self, net: MGenSegNet, x: Tensor) -> Tensor:
        """The slices in the modality that is segmented."""
        if self.seen_in == self.domain:
            return x
        return net.translate(net.encode_for_translation(x, self.domain), self.domain)

    def segmented(self, net: MGenSegNet, x: Tensor) -> Tensor:
        """Probabilities of tumour in slices `x` of `domain`, (b, 1, h, w), fp32."""
        y_hat: Tensor = net.of(self.seen_in)(self.as_seen(net, x))
        return y_hat.float()


class Validation:
    """The rule's route, and those that pick the best epoch: this one, or the source's own beside the target's.

    Raises:
        BadInput: the split holds no diseased slice on one of them.

    """

    def __init__(self, recipe: SegmentationRecipe, selection: Selection, task: TaskView) -> None:
        self.recipe, self.selection, self.task = recipe, selection, task
        self.main = self._route(SELECTING[selection], "source" if selection == "source" else "target")
        two = selection == "oracle" and recipe.selected_on == "both" and "source" in recipe.domains
        self.selecting = (self._route("source", "source"), self.main) if two else (self.main,)

    def _route(self, domain: Domain, seen_in: Domain) -> Route:
        diseased, healthy = hemisphere_slices(hemisphere_volumes(self.task, domain, "validation"), self.recipe.slices)
        if not len(diseased):
            msg = f"no validation slice of the {domain} is diseased; add cases or change task.split_seed"
            raise BadInput(msg)
        return Route(domain, seen_in, Crops(diseased), Crops(healthy))

    @cached_property
    def paired(self) -> tuple[Crops, Crops]:
        """Diseased slices of patients who were seen in both modalities, source and target; empty if nobody may be."""
        target = self.main.diseased.halves
        if self.selection != "oracle" or len(self.recipe.domains) < 2:
            return self.main.diseased.none(), self.main.diseased.none()
        source = hemisphere_volumes(self.task, "source", "validation", masks=False)
        both = tuple(unit for unit in target.units if unit.subject in source.subjects)
        return Crops(HemispherePatches(source, both)), Crops(HemispherePatches(target.volumes, both))

    def pairs(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Source and target images of the paired slices."""
        for x_s, x_t in zip(*(crops.each(size) for crops in self.paired), strict=True):
            yield x_s.x, x_t.x


@torch.no_grad()
def measured(net: MGenSegNet, validation: Validation, context: StageContext, wanted: Wanted) -> dict[str, float]:
    """What can be said under the recipe's weights and the selection rule; nothing of parts that no loss trains."""
    net.eval()
    route, device, size = validation.main, context.runtime.device, context.runtime.at_once(validation.recipe.batch)
    genseg, metrics = net.of(route.seen_in), dict[str, float]()
    with autocast(context.runtime):
        if wanted.generation:
            scores, truths = [], []
            for batch in route.diseased.each(size):
                x = route.as_seen(net, batch.x.to(device))
                residual = from_presence(genseg, x, genseg.encoder(x)).delta_pp.abs().cpu()
                scores.append(residual[batch.x != 0])
                truths.append(batch.y[batch.x != 0])
            localisation = average_precision(torch.cat(scores).numpy(), torch.cat(truths).numpy())
            metrics["validation/localisation"] = localisation
            if validation.recipe.translate == "both" and len(route.healthy):
                rng, values = generator(context.seed, "mgenseg", "diversity"), []
                for batch in route.healthy.each(size):
                    values.append(diversity(residuals(genseg, route.as_seen(net, batch.x.to(device)), rng)))
                metrics["validation/diversity"] = float(torch.cat(values).mean())
        if wanted.translation and len(validation.paired[0]):
            error = brain = 0.0
            for x_s, x_t in validation.pairs(size):
                x_st = net.translate(net.encode_for_translation(x_s.to(device), "source"), "source").float().cpu()
                inside = (x_s != 0) & (x_t != 0)
                error += float((x_st - x_t).abs()[inside].sum())
                brain += float(inside.sum())
            metrics["validation/translation"] = error / brain
    return metrics


def average_precision(scores: np.ndarray, truths: np.ndarray) -> float:
    """The area under precision over recall as the score's threshold falls; the share of truths for a random score."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truths > 0, scores))
