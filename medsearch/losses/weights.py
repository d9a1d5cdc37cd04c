"""The λ of Eqs. 4.5, 5.4, 5.12 and 5.13."""

import math
from collections.abc import Mapping
from itertools import pairwise

from medsearch.core.errors import BadInput


def normalised(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights divided by their sum (sections 4.3.2, 5.4.1 and 5.4.2), so only their ratios act.

    Raises:
        BadInput: a weight is negative, or all are 0.

    """
    require_weight(weights)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def require_weight(weights: Mapping[str, float]) -> None:
    """Refuse the weights of a loss that would be 0 whatever a network does.

    Raises:
        BadInput: a weight is negative, or all are 0.

    """
    if min(weights.values()) < 0 or not sum(weights.values()) > 0:
        msg = f"loss weights {dict(weights)} train nothing: none may be negative, and one must be above 0"
        raise BadInput(msg)


class TermWeights:
    """What recipes of a loss's weights have in common: those of all terms together are not 0."""

    def terms(self) -> Mapping[str, float]:
        """The weights of the terms, all fields unless a subclass says which."""
        return vars(self)

    def check(self) -> None:
        """Refuse weights that are all 0.

        Raises:
            BadInput: they are.

        """
        require_weight(self.terms())


SCHEDULE = ((0.01, 0.001), (0.1, 0.01), (0.4, 0.25), (0.7, 0.5), (1.0, 1.0))
"""Annotated fraction and factor of λ_seg (section 5.5.1)."""


def annotated_share(annotated: int, volumes: int) -> float:
    """The fraction of `volumes` that is annotated; one of the paper's, where it was rounded up to so many.

    1 % of 148 volumes are 2, which are more than 1 %. Among fewer than 100 a single one is, and counts as what it is.
    """
    rounded = (point for point, _ in SCHEDULE if math.ceil(point * volumes - 1e-9) == annotated)
    share = annotated / volumes
    return next(rounded, share) if volumes >= 100 else share


def scheduled(seg: float, annotated: float) -> float:
    """λ_seg for a fraction of annotated source volumes: 100 %, 70 %, 40 %, 10 %, 1 % take 100, 50, 25, 1, 0.1 of 100.

    Between the paper's five points the factor is interpolated in logarithms; below 1 % it stays. Another λ_seg is
    scaled alike.
    """
    fraction = min(max(annotated, SCHEDULE[0][0]), SCHEDULE[-1][0])
    (x0, y0), (x1, y1) = next(pair for pair in pairwise(SCHEDULE) if fraction <= pair[1][0])
    share = math.log(fraction / x0) / math.log(x1 / x0)
    factor: float = y0 * (y1 / y0) ** share
    return seg * factor
