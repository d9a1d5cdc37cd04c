"""stub"""

from dataclasses import dataclass
from typing import Any

from medsearch.core.recipes import recipe


@recipe
class BodyRule:
    threshold: float = -500.0


@recipe
class RegionRule:
    lung: float = -500.0


@dataclass(frozen=True)
class Region:
    first: int
    last: int
    found: bool


def body_mask(hu: Any, rule: BodyRule) -> Any:
    return hu > rule.threshold


def abdominal_region(hu: Any, body: Any, rule: RegionRule) -> Region:
    return Region(0, len(hu) - 1, True)
