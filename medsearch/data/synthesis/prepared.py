"""Prepared stacks, as every trial of a node maps them into memory.

<contrast>-<number>.npy         (Z, Y, X) int16, HU; superior slice first, as wide as high
<contrast>-<number>-body.npy    (Z, Y, X) uint8, the body with its air = 1
cases.json                      size, and what was measured of each stack
files.json                      what each of these holds; written last
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.data.cohorts import Roster
from medsearch.data.prepared import PreparedFolder

VERSION = 2
"""Raised whenever equal files would give other arrays; part of the folder's name and of every data fingerprint."""


def stack_file(contrast: str, number: int) -> str:
    """The name of one case's images in a contrast."""
    return f"{contrast}-{number:04d}.npy"


def body_file(contrast: str, number: int) -> str:
    """The name of the masks that go with them."""
    return f"{contrast}-{number:04d}-body.npy"


@dataclass(frozen=True)
class PreparedStacks(PreparedFolder):
    """The stacks of a cohort, each on a grid of its own."""

    @cached_property
    def roster(self) -> Roster:
        """Who may be divided, and what the data set's folders say of them."""
        cases = self.record["cases"]
        return Roster(
            self.subjects,
            {case["subject"]: case["part"] for case in cases if case["part"]},
            contrasts={case["subject"]: tuple(case["stacks"]) for case in cases},
        )

    def stack(self, subject: str, contrast: str) -> NDArray[np.int16]:
        """(Z, Y, X) HU."""
        self.measured(subject, contrast)
        return self.mapped(stack_file(contrast, self.index(subject)))

    def body(self, subject: str, contrast: str) -> NDArray[np.uint8]:
        """(Z, Y, X) of 0 and 1."""
        self.measured(subject, contrast)
        return self.mapped(body_file(contrast, self.index(subject)))

    def measured(self, subject: str, contrast: str) -> Mapping[str, Any]:
        """What was measured of a stack: slices, spacing (z, y, x; mm), region (first and last slice), if it was found.

        Raises:
            BadInput: no such subject, or it has no image in this contrast.

        """
        stacks: Mapping[str, Mapping[str, Any]] = self.case(subject)["stacks"]
        if contrast not in stacks:
            msg = f"case {subject} has no {contrast} image; exclude it or add the file"
            raise BadInput(msg)
        return stacks[contrast]
