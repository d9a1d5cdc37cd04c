"""What is wrong with one case, from the facts about its files, as far as its kind of layout means it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from medsearch.cohorts.cohort import Finding
from medsearch.cohorts.grid_consistency import common_grid, difference, edges_in_words, matrix
from medsearch.cohorts.inspection import AIR_HU, DENSE_HU, LABEL, MASK, TISSUE_HU, CaseFacts, FileFacts
from medsearch.cohorts.layouts import Layout, TumourLayout
from medsearch.imaging.nifti_geometry import HeaderGeometry, Matrix, directions, skewness, turn

EXCLUDE = "or leave out the case"

_LEAST_BACKGROUND = 0.05
_MOST_OUTSIDE = 0.5
_LEAST_TISSUE, _MOST_DENSE = 0.01, 0.1
"""Every CT of a body shows something of the air around it, or within; it shows soft tissue; and less bone than air."""
_LEAST_EXTENT_MM = 150.0
_ALONG, _TILTED_DEGREES = 0.95, 5.0
"""The least cosine between a volume's axis and the body's: within 18 degrees slices are axial; from 5 on it is said."""
_MOST_UNFIT = 0.25
_EDGES_MM = (0.02, 30.0)
"""Between which voxel sizes of medical images lie, from high-resolution CT of bone to thick slices."""
_SAME_SIZE, MOST_TURN, _MOST_MOVED_MM = 0.01, 1.0, 1.0
"""What rounding in a header may amount to: sizes by 1 %, axes by a degree, the middle of the volume by 1 mm."""


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
        lacking = _not_in_hu(facts)
        if lacking is not None:
            yield Fault(f"is not in HU: {lacking}", f"apply slope and intercept to the original values, {EXCLUDE}")
        affine = matrix(facts.affine)
        shares = np.abs(directions(affine))
        least = shares.max(axis=0).min()
        if least < _ALONG:
            yield Fault("lies obliquely, so it has no axial slices", f"resample it along the body's axes, {EXCLUDE}")
            return
        if (angle := np.degrees(np.arccos(least))) > _TILTED_DEGREES:
            what = f"lies {angle:.0f} degrees off the body's axes, and its slices are taken for axial ones"
            yield Fault(what, "resample it along the body's axes", fatal=False)
        up = int(shares[2].argmax())
        extent = facts.shape[up] * np.linalg.norm(affine[:3, up])
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


def _not_in_hu(facts: FileFacts) -> str | None:
    """What every CT in HU has and these values lack: air, what is denser, soft tissue, and less bone than air."""
    if facts.low > AIR_HU:
        return f"nothing is below {AIR_HU:g}"
    if facts.high < AIR_HU:
        return f"nothing is above {AIR_HU:g}"
    if facts.tissue < _LEAST_TISSUE:
        low, high = TISSUE_HU
        return f"only {facts.tissue:.1%} of it lies in {low:g}..{high:g}, as soft tissue does"
    if facts.dense > max(_MOST_DENSE, facts.air):
        return f"{facts.dense:.0%} of it is above {DENSE_HU:g}, as bone is, and less is air: it may be inverted"
    return None


def _about_geometry(facts: FileFacts) -> Iterator[Fault]:
    """What a header says of where its voxels lie, against itself: contradictions that would change what is learnt."""
    affine = matrix(facts.affine)
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if not _EDGES_MM[0] <= edges.min() <= edges.max() <= _EDGES_MM[1]:
        remedy = f"correct the unit or the voxel size in its header, {EXCLUDE}"
        yield Fault(f"has voxels of {edges_in_words(edges)}, which no scanner makes", remedy)
        return
    if (skew := skewness(affine)) > MOST_TURN:
        what = f"is sheared: its axes meet at {90 - skew:.0f} degrees"
        yield Fault(what, f"resample it to axes at right angles, {EXCLUDE}")
        return
    if facts.header is not None:
        yield from _contradictions(facts.header, affine, facts.shape)


def _contradictions(header: HeaderGeometry, affine: Matrix, shape: tuple[int, ...]) -> Iterator[Fault]:
    """Where one geometry of a header says otherwise than the one that is taken, and what follows from it.

    Sizes and directions decide what a network sees, so they must be known: an error, unless the two lead to different
    spaces (their codes differ), in which a head may well lie otherwise. Nothing is learnt from positions: a warning.
    """
    taken = header.taken
    if not taken:
        what = "does not say how it lies: neither its sform nor its qform is coded"
        yield Fault(what, f"convert it again, or set its sform, {EXCLUDE}")
        return
    if min(header.edges) < 0:
        what = "has a negative voxel size (pixdim), which may mean that it is mirrored"
        yield Fault(what, f"convert it again, {EXCLUDE}", fatal=taken == "qform")
    if taken == "sform" and header.codes[1] and not header.qform:
        yield Fault("has a damaged qform; its sform is taken", "copy its sform to its qform", fatal=False)
    other = matrix(header.other) if header.other else None
    names = "its two geometries (sform, qform)" if other is not None else "its sform and its voxel sizes (pixdim)"
    remedy = f"set both to what the scanner measured, {EXCLUDE}"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    theirs = np.abs(header.edges) if other is None else np.linalg.norm(other[:3, :3], axis=0)
    said = np.isfinite(theirs) & (theirs > 0)
    if (np.abs(sizes - theirs)[said] > _SAME_SIZE * theirs[said]).any():
        what = f"{names} disagree: {edges_in_words(sizes)} and {edges_in_words(theirs)}; the {taken} is taken"
        yield Fault(what, remedy)
    elif other is not None and (angle := turn(affine, other)) > MOST_TURN:
        what = f"{names} disagree by {angle:.0f} degrees; the {taken} is taken"
        yield Fault(what, remedy, fatal=header.codes[0] == header.codes[1])
    elif other is not None:
        middle = np.array([*((size - 1) / 2 for size in shape), 1.0])
        if (moved := float(np.linalg.norm((affine - other) @ middle))) > _MOST_MOVED_MM:
            what = f"{names} disagree in position by {moved:.0f} mm; the {taken} is taken"
            yield Fault(what, "set both to the same position", fatal=False)


@dataclass(frozen=True)
class CaseValidation:
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
        geometry = [] if kind == LABEL else list(_about_geometry(facts))
        yield from geometry
        if facts.not_finite:
            what = f"{facts.not_finite} voxels are NaN or infinite"
            yield Fault(what, f"replace them, {EXCLUDE}", fatal=kind != LABEL)
        if kind in (MASK, LABEL):
            yield from self.values.outline(facts, self.facts.outside)
        elif facts.low == facts.high:
            what = "is zero everywhere" if facts.low == 0 else f"is constant ({facts.low:g} everywhere)"
            yield Fault(what, f"export the image again, {EXCLUDE}")
        elif not any(fault.fatal for fault in geometry):  # what is shown of a body depends on it
            yield from self.values.image(facts)
        how = None if kind == LABEL else difference(facts, common, self.layout.grid_tolerance)
        if how is not None:
            what = "mask lies on another grid than the images" if kind == MASK else "differs from the other contrasts"
            yield Fault(f"{what}: {how}", f"resample it to their grid, {EXCLUDE}")
