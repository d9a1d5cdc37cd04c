"""Checking a cohort: every fault becomes one line that names the case, the file, and the remedy.

The layout looks at the names, `inspection` reads every file once; here the facts are judged: file by file, file against
file of one case, and case against case. A fatal fault excludes its subject, or refuses the cohort where it has none;
the others are warnings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.cohort import Cohort, Finding
from medsearch.cohorts.inspection import (
    AIR_HU,
    DENSE_HU,
    LABEL,
    MASK,
    TISSUE_HU,
    CaseFacts,
    FileFacts,
    inspect_cases,
)
from medsearch.cohorts.layouts import Layout, TumourLayout, refusal
from medsearch.cohorts.layouts import layout as layout_named
from medsearch.core.errors import BadInput, printable
from medsearch.imaging.image_files import HeaderGeometry, directions, skewness, turn

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
_SAME_SIZE, _MOST_TURN, _MOST_MOVED_MM = 0.01, 1.0, 1.0
"""What rounding in a header may amount to: sizes by 1 %, axes by a degree, the middle of the volume by 1 mm."""
_SPACING_MM, _SPACING_DIGITS = 1e-3, 3
_SAME_TRACE = 3e-4
"""Axes a degree or less apart: three unit vectors have a product of 3 with themselves."""
_HEADER_MM = 1e-5
"""How well a header's single precision keeps a position."""


@dataclass(frozen=True)
class Checked:
    """A cohort with all its cases, good and bad, and what was found."""

    cohort: Cohort
    findings: tuple[Finding, ...]

    @property
    def bad_subjects(self) -> tuple[str, ...]:
        """The subjects with a fatal finding, in the order of the cohort."""
        bad = {finding.subject for finding in self.findings if finding.fatal}
        return tuple(subject for subject in self.cohort.subjects if subject in bad)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The fatal findings that no case can be left out for."""
        return tuple(finding for finding in self.findings if finding.fatal and finding.subject is None)

    @property
    def usable(self) -> Cohort:
        """The cohort without its bad subjects."""
        return self.cohort.without(self.bad_subjects)


def check(
    root: Path, layout: str = "brats2020", *, required: Sequence[str] | None = None, cache: Path | None = None
) -> Checked:
    """Look at the names and the content of every file of the cohort under `root`.

    `required`: the contrasts that a study needs; the others are neither missed nor read, and the cohort that comes back
    is without them. `cache`: a folder that remembers what files hold, by their content.

    Raises:
        BadInput: no such layout, or the layout has no such contrast.
    """
    kind = layout_named(layout)
    scan = kind.scan(root, required=required)
    refused = [finding for finding in scan.findings if finding.fatal and finding.subject is None]
    missing = any(not (finding.file and finding.file.exists()) for finding in refused)
    if (missing or not scan.cohort.cases) and (known := refusal(root, kind)):
        return Checked(replace(scan.cohort, cases=()), (known,))
    wanted = scan.cohort.contrasts if required is None else tuple(required)
    if unknown := [contrast for contrast in wanted if contrast not in scan.cohort.contrasts]:
        msg = f"{layout} has no contrast {unknown[0]!r}; choose from {', '.join(scan.cohort.contrasts)}"
        raise BadInput(msg)
    cohort, findings = scan.cohort.only(wanted), [*scan.findings]
    labels = {subject: {LABEL: path} for subject, path in scan.labels.items()}
    files = [{**case.files, **labels.get(case.subject, {})} for case in cohort.cases]
    facts = inspect_cases(files, cache)
    for case in cohort.cases:
        if printable(case.subject) != case.subject:  # a terminal, a table or a page would show another name
            where = next(iter(case.files.values()), root)
            findings.append(Finding(case.subject, where, "has control characters in its name", f"rename it, {EXCLUDE}"))
    for case, paths, case_facts in zip(cohort.cases, files, facts, strict=True):
        findings += case_findings(case.subject, paths, case_facts, layout=kind, phantom=cohort.phantom)
    if kind.grids == "one":
        findings += _about_cohort_grid(cohort, files, facts, kind.grid_tolerance)
    findings += _about_duplicates(cohort, files, facts)
    order = {subject: number for number, subject in enumerate(cohort.subjects)}
    findings.sort(key=lambda finding: order.get(finding.subject or "", -1))
    return Checked(cohort, tuple(findings))


def _about_cohort_grid(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts], tolerance: float
) -> Iterator[Finding]:
    """Cases that lie on another grid than most; position in space may differ, size and axes may not."""
    commons = [common_grid(case_facts, tolerance) for case_facts in facts]
    grids = [None if grid is None else described(grid) for grid in commons]
    usual = max(grids, key=lambda grid: grid is not None and grids.count(grid), default=None)
    for case, paths, grid in zip(cohort.cases, files, grids, strict=True):
        if grid not in (None, usual):
            folder = next(iter(paths.values())).parent
            yield Finding(case.subject, folder, f"{grid}, the cohort's {usual}", f"resample the case, {EXCLUDE}")
    axes = {
        number: directions(common.matrix)
        for number, common in enumerate(commons)
        if common is not None and grids[number] == usual
    }
    if not axes:
        return
    flat = np.array([along.ravel() for along in axes.values()])
    alike = (flat @ flat.T > 3 - _SAME_TRACE).sum(axis=1)
    most_common = [*axes.values()][int(alike.argmax())]
    for number, along in axes.items():
        if (angle := turn(along, most_common)) > _MOST_TURN:
            what = f"is turned by {angle:.0f} degrees against the other cases"
            folder = next(iter(files[number].values())).parent
            yield Finding(cohort.cases[number].subject, folder, what, f"resample it along their axes, {EXCLUDE}")


def _about_duplicates(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts]
) -> Iterator[Finding]:
    """The same image twice: under two subjects it may end up in two splits, in one subject a contrast is lost."""
    first: dict[str, tuple[str, str]] = {}
    for case, paths, case_facts in zip(cohort.cases, files, facts, strict=True):
        named = set()
        for kind, image in case_facts.files.items():
            if kind in (MASK, LABEL) or image.problem is not None or image.low == image.high:
                continue
            subject, contrast = first.setdefault(image.content, (case.subject, kind))
            if subject == case.subject and contrast != kind:
                yield Finding(subject, paths[kind], f"is the same image as {contrast}", f"restore it, {EXCLUDE}")
            elif subject != case.subject and subject not in named:
                named.add(subject)
                remedy = "keep one of the two cases"
                yield Finding(case.subject, paths[kind], f"is the same image as {subject}'s {contrast}", remedy)


class Fault(NamedTuple):
    """What is wrong with a file, and what to do."""

    problem: str
    remedy: str
    fatal: bool = True


def case_findings(
    subject: str, paths: Mapping[str, Path], facts: CaseFacts, *, layout: Layout, phantom: bool = False
) -> Iterator[Finding]:
    """What is wrong with one case's files (`paths`, by what they are), file by file, as far as its layout means it.

    phantom: the images were computed, so that a mask may hold no tumour.
    """
    common = common_grid(facts, layout.grid_tolerance)
    for kind, file in facts.files.items():
        if file.problem is not None:
            yield Finding(subject, paths[kind], file.problem, file.remedy or EXCLUDE, fatal=kind != LABEL)
            continue
        faults = [] if kind == LABEL else list(_geometry_faults(file))
        oriented = not any(fault.fatal for fault in faults)
        if file.not_finite:
            what = f"{file.not_finite} voxels are NaN or infinite"
            faults.append(Fault(what, f"replace them, {EXCLUDE}", fatal=kind != LABEL))
        if kind in (MASK, LABEL):
            faults += _outline_faults(file, facts.outside, layout, phantom=phantom)
        elif file.low == file.high:
            what = "is zero everywhere" if file.low == 0 else f"is constant ({file.low:g} everywhere)"
            faults.append(Fault(what, f"export the image again, {EXCLUDE}"))
        elif oriented and not isinstance(layout, TumourLayout):  # what is shown of a body depends on how it lies
            faults += _ct_faults(file)
        elif oriented and isinstance(layout, TumourLayout) and layout.atlas is None and file.zeros < _LEAST_BACKGROUND:
            what = "has no background of zeros, which tells brain from the rest"
            faults.append(Fault(what, "strip the skull", fatal=False))
        how = None if kind == LABEL else difference(file, common or file, layout.grid_tolerance)
        if how is not None:
            what = "mask lies on another grid than the images" if kind == MASK else "differs from the other contrasts"
            faults.append(Fault(f"{what}: {how}", f"resample it to their grid, {EXCLUDE}"))
        for fault in faults:
            yield Finding(subject, paths[kind], *fault)


def _outline_faults(facts: FileFacts, outside: float, layout: Layout, *, phantom: bool) -> Iterator[Fault]:
    """A mask holds the data set's labels, some tumour, and that inside the brain; a label beside a CT fits its organ.

    outside: see `CaseFacts`.
    """
    if not isinstance(layout, TumourLayout):
        if not facts.values:
            yield Fault("is empty", "nobody reads it; copy it again", fatal=False)
        if outside > _MOST_UNFIT:
            what = f"{outside:.0%} of it lies in air, fat or bone of the CT"
            yield Fault(what, "nobody reads it; flip it along y, or give the label of this CT", fatal=False)
        return
    if strange := [value for value in facts.values if value not in layout.labels]:
        listed, allowed = ", ".join(f"{value:g}" for value in strange), ", ".join(map(str, layout.labels))
        yield Fault(f"holds {listed}, not only {allowed}", f"restore the labels, {EXCLUDE}")
    elif not any(value in layout.tumour for value in facts.values):
        remedy = "draw the tumour, or leave out the case"  # a phantom has healthy subjects only when asked to
        what = f"holds no tumour, only {facts.values[0]:g}" if facts.values else "is empty"
        yield Fault(what, remedy, fatal=not phantom)
    if outside > _MOST_OUTSIDE:
        where = "outside the brain" if layout.atlas is None else "where the image is 0"
        yield Fault(f"{outside:.0%} of the tumour lies {where}", "flip or register the mask")


def _ct_faults(facts: FileFacts) -> Iterator[Fault]:
    """A CT is in HU (it shows air, what is denser, soft tissue, and less bone than air), and shows enough of a body.

    Its axes are the body's.
    """
    lacking = None
    if facts.low > AIR_HU:
        lacking = f"nothing is below {AIR_HU:g}"
    elif facts.high < AIR_HU:
        lacking = f"nothing is above {AIR_HU:g}"
    elif facts.tissue < _LEAST_TISSUE:
        low, high = TISSUE_HU
        lacking = f"only {facts.tissue:.1%} of it lies in {low:g}..{high:g}, as soft tissue does"
    elif facts.dense > max(_MOST_DENSE, facts.air):
        lacking = f"{facts.dense:.0%} of it is above {DENSE_HU:g}, as bone is, and less is air: it may be inverted"
    if lacking is not None:
        yield Fault(f"is not in HU: {lacking}", f"apply slope and intercept to the original values, {EXCLUDE}")
    shares = np.abs(directions(facts.matrix))
    least = shares.max(axis=0).min()
    if least < _ALONG:
        yield Fault("lies obliquely, so it has no axial slices", f"resample it along the body's axes, {EXCLUDE}")
        return
    if (angle := np.degrees(np.arccos(least))) > _TILTED_DEGREES:
        what = f"lies {angle:.0f} degrees off the body's axes, and its slices are taken for axial ones"
        yield Fault(what, "resample it along the body's axes", fatal=False)
    up = int(shares[2].argmax())
    extent = facts.shape[up] * np.linalg.norm(facts.matrix[:3, up])
    if extent < _LEAST_EXTENT_MM:
        what = f"shows {extent:.0f} mm of the body, lungs to bowel are twice as much or more"
        yield Fault(what, "give a longer scan", fatal=False)


def _geometry_faults(facts: FileFacts) -> Iterator[Fault]:
    """What a header says of where its voxels lie, against itself: contradictions that would change what is learnt."""
    edges = np.linalg.norm(facts.matrix[:3, :3], axis=0)
    if not _EDGES_MM[0] <= edges.min() <= edges.max() <= _EDGES_MM[1]:
        remedy = f"correct the unit or the voxel size in its header, {EXCLUDE}"
        yield Fault(f"has voxels of {_edges_in_words(edges)}, which no scanner makes", remedy)
    elif (skew := skewness(facts.matrix)) > _MOST_TURN:
        what = f"is sheared: its axes meet at {90 - skew:.0f} degrees"
        yield Fault(what, f"resample it to axes at right angles, {EXCLUDE}")
    elif facts.header is not None:
        yield from _contradictions(facts.header, facts)


def _contradictions(header: HeaderGeometry, facts: FileFacts) -> Iterator[Fault]:
    """Where one geometry of a header says otherwise than the one that is taken, and what follows from it.

    Sizes and directions decide what a network sees, so they must be known: an error, unless the two lead to different
    spaces (their codes differ), in which a head may well lie otherwise. Nothing is learnt from positions: a warning.
    """
    taken, affine = header.taken, facts.matrix
    if not taken:
        what = "does not say how it lies: neither its sform nor its qform is coded"
        yield Fault(what, f"convert it again, or set its sform, {EXCLUDE}")
        return
    if min(header.edges) < 0:
        what = "has a negative voxel size (pixdim), which may mean that it is mirrored"
        yield Fault(what, f"convert it again, {EXCLUDE}", fatal=taken == "qform")
    if taken == "sform" and header.codes[1] and not header.qform:
        yield Fault("has a damaged qform; its sform is taken", "copy its sform to its qform", fatal=False)
    form = header.qform if taken == "sform" else header.sform
    other = np.array(form, np.float64).reshape(4, 4) if form else None
    names = "its two geometries (sform, qform)" if other is not None else "its sform and its voxel sizes (pixdim)"
    remedy = f"set both to what the scanner measured, {EXCLUDE}"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    theirs = np.abs(header.edges) if other is None else np.linalg.norm(other[:3, :3], axis=0)
    said = np.isfinite(theirs) & (theirs > 0)
    if (np.abs(sizes - theirs)[said] > _SAME_SIZE * theirs[said]).any():
        what = f"{names} disagree: {_edges_in_words(sizes)} and {_edges_in_words(theirs)}; the {taken} is taken"
        yield Fault(what, remedy)
    elif other is not None and (angle := turn(affine, other)) > _MOST_TURN:
        what = f"{names} disagree by {angle:.0f} degrees; the {taken} is taken"
        yield Fault(what, remedy, fatal=header.codes[0] == header.codes[1])
    elif other is not None:
        middle = np.array([*((size - 1) / 2 for size in facts.shape), 1.0])
        if (moved := float(np.linalg.norm((affine - other) @ middle))) > _MOST_MOVED_MM:
            what = f"{names} disagree in position by {moved:.0f} mm; the {taken} is taken"
            yield Fault(what, "set both to the same position", fatal=False)


def common_grid(facts: CaseFacts, tolerance: float) -> FileFacts | None:
    """A file on the grid that most of a case's images share; the earliest, where two are as common.

    `tolerance`: as for `difference`. The mask, where no image can be read; None, where nothing can.
    """
    readable = {kind: file for kind, file in facts.files.items() if file.problem is None}
    images = [file for kind, file in readable.items() if kind not in (MASK, LABEL)]
    if not images:
        return readable.get(MASK)
    return max(images, key=lambda image: sum(difference(image, other, tolerance) is None for other in images))


def difference(one: FileFacts, other: FileFacts, tolerance: float) -> str | None:
    """How two grids differ, in words; None if no entry of their affines does by more than `tolerance` (mm)."""
    if one.shape != other.shape:
        return f"shape {_times(one.shape)}, theirs {_times(other.shape)}"
    if not np.allclose(_spacing(one), _spacing(other), rtol=0, atol=_SPACING_MM):
        return f"spacing {_times(_spacing(one))} mm, theirs {_times(_spacing(other))} mm"
    if not np.allclose(one.affine, other.affine, rtol=0, atol=tolerance + _HEADER_MM):
        return "another affine (position or orientation)"
    return None


def described(facts: FileFacts) -> str:
    """A grid but for its position: size, spacing, and the directions of its axes."""
    along = directions(facts.matrix)
    axes = "".join(
        ("RAS" if along[row, column] > 0 else "LPI")[row] for column, row in enumerate(np.abs(along).argmax(axis=0))
    )
    return f"grid is {_times(facts.shape)} voxels of {_times(_spacing(facts))} mm, axes {axes}"


def _spacing(facts: FileFacts) -> tuple[float, ...]:
    return tuple(round(float(edge), _SPACING_DIGITS) for edge in np.linalg.norm(facts.matrix[:3, :3], axis=0))


def _edges_in_words(edges: npt.ArrayLike) -> str:
    """Voxel sizes: `1 mm` of a cube, otherwise `1 x 1 x 2 mm`."""
    rounded = [float(f"{edge:.4g}") for edge in np.ravel(edges)]
    return f"{rounded[0]:g} mm" if len(set(rounded)) == 1 else f"{_times(rounded)} mm"


def _times(numbers: Sequence[int] | Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
