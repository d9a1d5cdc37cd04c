"""What the best epoch is picked by: the diseased validation slices of the domains that are meant."""

from collections.abc import Iterable

from torch import nn

from medsearch.data.patches import SliceRule
from medsearch.data.views import Domain, TaskView
from medsearch.methods.baselines.drawing import SHARE, diseased, require
from medsearch.methods.baselines.reads import SelectedOn, sides
from medsearch.training.crops import Crops


def validation_slices(task: TaskView, of: SelectedOn, rule: SliceRule) -> dict[Domain, Crops]:
    """The diseased validation slices of the domains that are meant.

    Raises:
        BadInput: there is none in one of them.
    """
    return {
        domain: require(diseased(task, domain, "validation", rule), f"diseased {domain} slice to select on", SHARE)
        for domain in sides(of)
    }


def training_mode(modules: Iterable[nn.Module], *, on: bool) -> None:
    """Put modules into training or eval mode."""
    for module in modules:
        module.train(on)
