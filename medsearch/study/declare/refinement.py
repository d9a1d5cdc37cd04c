"""The refinement of a staged search: one small joint search around what its groups froze one after another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from medsearch.core.errors import BadInput
from medsearch.study.declare.setups import Scaled, resolve_scale
from medsearch.study.declare.spaces import Choice, Domain, Integers, Uniform

FROZEN = "Frozen"
"""Label of the row that the refinement is compared with: the frozen point under every seed."""


@final
@dataclass(frozen=True, kw_only=True)
class Refinement:
    """How far around the frozen point, and how often, all knobs are tried together.

    factor: on a logarithmic axis a knob may move to `factor` times its frozen value, or to that part of it; on an even
        axis its domain shrinks to that part of its width. Choices stay as they are.
    knobs: those that move; none: all that a group searched. finalists: at least one, which is tested over the seeds.

    Raises:
        BadInput: the factor narrows nothing.

    """

    trials: Scaled[int]
    finalists: Scaled[int] = 1
    factor: float = 2.0
    knobs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the factor; the rest is checked with the searches that it becomes a part of."""
        if not (math.isfinite(self.factor) and self.factor > 1):
            msg = f"refinement with factor={self.factor!r}; it must be more than 1, such as 2.0"
            raise BadInput(msg)

    def at(self, scale: str) -> "Refinement":
        """With the numbers of a scale.

        Raises:
            BadInput: one is given for other scales only.

        """
        sizes = {
            name: resolve_scale(getattr(self, name), scale, f"refinement.{name}") for name in ("trials", "finalists")
        }
        return replace(self, **sizes)


def narrowed(domain: Domain, around: Any, factor: float) -> Domain:
    """The part of `domain` near the value `around`, which it holds; never wider than `domain`."""
    if isinstance(domain, Choice):
        return domain
    if domain.log:
        low, high = around / factor, around * factor
    else:
        reach = (domain.high - domain.low) / (2 * factor)
        low, high = around - reach, around + reach
    if isinstance(domain, Integers):  # outwards, so that a neighbour is always within
        low, high = math.floor(min(low, around - 1)), math.ceil(max(high, around + 1))
        return Integers(max(domain.low, low), min(domain.high, high), domain.log)
    return Uniform(max(domain.low, low), min(domain.high, high), domain.log)


def around(point: Mapping[str, Any], domains: Mapping[str, Domain], factor: float) -> dict[str, Domain]:
    """Each domain narrowed around its value in `point`."""
    return {knob: narrowed(domain, point[knob], factor) for knob, domain in domains.items()}
