"""Which parts of a task all baselines read to train, and to pick their best epoch."""

from typing import Literal

from medsearch.cohorts.views import Domain, SplitName, whole

SelectedOn = Literal["source", "target", "both"]
"""Whose validation masks pick the best epoch."""

Supervision = SelectedOn
"""Whose masks teach a reference, which is selected on what it trains with."""


def unannotated(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """Images and weak labels, which tell diseased slices from others."""
    return tuple(f"{domain}.{split}.{kind}" for kind in ("images", "presence"))


def sides(of: SelectedOn) -> tuple[Domain, ...]:
    """The domains that are meant."""
    return ("source", "target") if of == "both" else (of,)


def validation(of: SelectedOn) -> tuple[str, ...]:
    """What a choice of the best epoch sees."""
    return tuple(part for domain in sides(of) for part in whole(domain, "validation"))


def adapting(of: SelectedOn) -> frozenset[str]:
    """Both domains' training parts, of whose target masks those of the labelled fraction are shown; and validation."""
    return frozenset((*whole("source", "train"), *whole("target", "train"), *validation(of)))
