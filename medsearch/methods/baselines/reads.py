"""Which parts of a task the baselines read to train, and to pick their best epoch."""

from typing import Literal

from medsearch.data.views import Domain, SplitName
from medsearch.stages.method import Selection

SelectedOn = Literal["source", "target", "both"]
"""Whose validation masks pick the best epoch."""

Supervision = SelectedOn
"""Whose masks teach a reference, which is selected on what it trains with."""

SELECTED_ON: dict[Selection, SelectedOn] = {"source": "source", "pseudo-target": "source", "oracle": "target"}


def whole(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """Images, masks and weak labels."""
    return tuple(f"{domain}.{split}.{kind}" for kind in ("images", "masks", "presence"))


def unannotated(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """Images and weak labels, which tell diseased slices from others."""
    return tuple(f"{domain}.{split}.{kind}" for kind in ("images", "presence"))


def sides(of: SelectedOn) -> tuple[Domain, ...]:
    """The domains that are meant."""
    return ("source", "target") if of == "both" else (of,)


def validation(of: SelectedOn) -> tuple[str, ...]:
    """What a choice of the best epoch sees."""
    return tuple(part for domain in sides(of) for part in whole(domain, "validation"))
