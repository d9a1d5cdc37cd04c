"""What is wrong with one case, from the facts about its files, as far as its kind of layout means it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from medsearch.data.agreement import common_grid, difference
from medsearch.data.cohorts import Finding
from medsearch.data.inspection import LABEL, MASK, CaseFacts, FileFacts
from medsearch.data.layouts import Layout, TumourLayout

EXCLUDE = "or leave out the case"

_LEAST_BACKGROUND = 0.05
_MOST_OUTSIDE = 0.5
_AIR_HU = -500.0
"""Every CT of a body shows something of the air around it, or within."""
_LEAST_EXTENT_MM = 150.0
_ALONG = 0.95
"""The least cosine between a volume's axis and the body's: within 18 degrees slices are axial."""
_MOST_UNFIT = 0.25


class Fault(NamedTuple):
    """What is wrong with a file, and what to do."""

    problem: str
    remedy: str
    fatal: bool = True


class Values(Protocol):
    """What the values of one kind of cohort must be."""

    def image(self, facts: FileFacts) -> Iterator[Fault]:
        """What is wrong with an image that is not constant."""
        ...

    def outline(self, facts: FileFacts, outside: float) -> Iterator[Fault]:
        """What is wrong with a mask, or with a label beside an image."""
        ...


@dataclass(frozen=True)
class TumourValues:
    """Of tumours and the images in which they are outlined."""

    layout: TumourLayout
    phantom: bool

    def image(self, facts: FileFacts) -> Iterator[Fault]:
        """A registered image has a background of zeros."""
        if facts.zeros < _LEAST_BACKGROUND and self.layout.atlas is None:
            yield Fault("has no background of zeros, which tells brain from the rest", "strip the skull", fatal=False)

    def outline(self, facts: FileFacts, outside: float) -> Iterator[Fault]:
        """A mask holds the data set's labels, some tumour, and that inside the brain."""
        strange = [value for value in facts.values if value not in self.layout.labels]
        allowed = ", ".join(str(label) for label in self.layout.labels)
        if strange:
            listed = ", ".join(f"{value:g}" for value in strange)
            yield Fault(f"holds {listed}, not only {allowed}", f"restore the labels, {EXCLUDE}")
        elif not any(value in self.layout.tumour for value in facts.values):
            remedy = "draw the tumour, or leave out the case"  # a phantom has healthy subjects only when asked to
            what = f"holds no tumour, only {facts.values[0]:g}" if facts.values else "is empty"
            yield Fault(what, remedy, fatal=not self.phantom)
        if outside > _MOST_OUTSIDE:
            where = "outside the brain" if self.layout.atlas is None else "where the image is 0"
            yield Fault(f"{outside:.0%} of the tumour lies {where}", "flip or register the mask")


@dataclass(frozen=True)
class StackValues:
    """Of stacks of axial CT slices, and of outlines that lie beside them and that no task reads."""

    def image(self, facts: FileFacts) -> Iterator[Fault]:
        """A CT is in HU, its axes are the body's, and it shows enough of it."""
        if facts.low > _AIR_HU:
            yield Fault(f"is not in HU: nothing is below {_AIR_HU:g}", f"apply slope and intercept, {EXCLUDE}")
        axes = np.array(facts.affine).reshape(4, 4)[:3, :3]
        edges = np.linalg.norm(axes, axis=0)
        shares = np.abs(axes / edges)
        if shares.max(axis=0).min() < _ALONG:
            yield Fault("lies obliquely, so it has no axial slices", f"resample it along the body's axes, {EXCLUDE}")
            return
        up = int(shares[2].argmax())
        extent = facts.shape[up] * edges[up]
        if extent < _LEAST_EXTENT_MM:
            what = f"shows {extent:.0f} mm of the body, lungs to bowel are twice as much or more"
            yield Fault(what, "give a longer scan", fatal=False)

    def outline(self, facts: FileFacts, outside: float) -> Iterator[Fault]:
        """A label holds something, and that where the CT shows an organ."""
        if not facts.values:
            yield Fault("is empty", "nobody reads it; copy it again", fatal=False)
        if outside > _MOST_UNFIT:
            what = f"{outside:.0%} of it lies in air, fat or bone of the CT"
            yield Fault(what, "nobody reads it; flip it along y, or give the label of this CT", fatal=False)


@dataclass(frozen=True)
class CaseJudge:
    """One case's facts, turned into findings."""

    subject: str
    paths: Mapping[str, Path]
    facts: CaseFacts
    layout: Layout
    values: Values

    def findings(self) -> Iterator[Finding]:
        """All of them, file by file."""
        common = common_grid(self.facts, self.layout.grid_tolerance)
        for kind, facts in self.facts.files.items():
            for fault in self._faults(kind, facts, common or facts):
                yield Finding(self.subject, self.paths[kind], *fault)

    def _faults(self, kind: str, facts: FileFacts, common: FileFacts) -> Iterator[Fault]:
        if facts.problem is not None:
            yield Fault(facts.problem, facts.remedy or EXCLUDE, fatal=kind != LABEL)
            return
        if facts.not_finite:
            what = f"{facts.not_finite} voxels are NaN or infinite"
            yield Fault(what, f"replace them, {EXCLUDE}", fatal=kind != LABEL)
        if kind in (MASK, LABEL):
            yield from self.values.outline(facts, self.facts.outside)
        elif facts.low == facts.high:
            what = "is zero everywhere" if facts.low == 0 else f"is constant ({facts.low:g} everywhere)"
            yield Fault(what, f"export the image again, {EXCLUDE}")
        else:
            yield from self.values.image(facts)
        how = None if kind == LABEL else difference(facts, common, self.layout.grid_tolerance)
        if how is not None:
            what = "mask lies on another grid than the images" if kind == MASK else "differs from the other contrasts"
            yield Fault(f"{what}: {how}", f"resample it to their grid, {EXCLUDE}")
