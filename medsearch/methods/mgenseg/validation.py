"""What the choice of the best epoch looks at, and through which networks, under each selection rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.data.patches import HemispherePatches, hemisphere_slices, hemisphere_source
from medsearch.data.views import Domain, TaskView
from medsearch.methods.mgenseg.networks import MGenSegNet
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.stages.method import SELECTING, Selection
from medsearch.training.crops import Crops


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
        """Probabilities of tumour."""
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
        diseased, healthy = hemisphere_slices(hemisphere_source(self.task, domain, "validation"), self.recipe.slices)
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
        source = hemisphere_source(self.task, "source", "validation", masks=False)
        both = tuple(unit for unit in target.units if unit.subject in source.subjects)
        return Crops(HemispherePatches(source, both)), Crops(HemispherePatches(target.source, both))

    def pairs(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Source and target images of the paired slices."""
        for x_s, x_t in zip(*(crops.each(size) for crops in self.paired), strict=True):
            yield x_s.x, x_t.x
