"""What the choice of the best epoch looks at, and through which networks, under each selection rule."""

from collections.abc import Iterator

from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.data.hemispheres import hemisphere_slices, hemisphere_source
from medsearch.data.units import Halves
from medsearch.data.views import Domain, TaskView
from medsearch.methods.mgenseg.networks import MGenSegNet
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.stages.method import Selection
from medsearch.training.crops import CropBatch, Crops


class Validation:
    """Diseased and healthy validation slices of `domain`, which are looked at in `seen_in`.

    Under "pseudo-target" these differ: source slices are translated first.

    Raises:
        BadInput: the split holds no diseased slice there.

    """

    def __init__(self, recipe: SegmentationRecipe, selection: Selection, task: TaskView) -> None:
        self.recipe, self.selection, self.task = recipe, selection, task
        self.domain: Domain = "target" if selection == "oracle" else "source"
        self.seen_in: Domain = "source" if selection == "source" else "target"
        diseased, healthy = hemisphere_slices(hemisphere_source(task, self.domain, "validation"), recipe.slices)
        self.diseased, self.healthy = Crops(diseased), Crops(healthy)
        if not len(diseased):
            msg = f"no validation slice of the {self.domain} is diseased; add cases or change task.split_seed"
            raise BadInput(msg)

    def annotated(self, size: int) -> Iterator[CropBatch]:
        """The diseased slices with their masks."""
        return self.diseased.each(size)

    def as_seen(self, net: MGenSegNet, x: Tensor) -> Tensor:
        """The slices in the modality that is segmented."""
        if self.seen_in == self.domain:
            return x
        return net.translate(net.encode_for_translation(x, self.domain), self.domain)

    def segmented(self, net: MGenSegNet, x: Tensor) -> Tensor:
        """Probabilities of tumour."""
        y_hat: Tensor = net.of(self.seen_in)(self.as_seen(net, x))
        return y_hat.float()

    @property
    def paired(self) -> bool:
        """Whether translations can be held against images of the same patients in the other modality."""
        return self.selection == "oracle" and self.recipe.modalities == "source and target"

    def pairs(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The diseased slices of patients who were seen in both modalities: source images, and target images."""
        source = hemisphere_source(self.task, "source", "validation", masks=False)
        both = tuple(unit for unit in self.diseased.halves.units if unit.subject in source.subjects)
        here, there = (Crops(Halves(of, both)) for of in (source, self.diseased.halves.source))
        for x_s, x_t in zip(here.each(size), there.each(size), strict=True):
            yield x_s.x, x_t.x
