"""Checking a cohort: every fault becomes one line that names the case, the file, and the remedy.

The layout looks at the names, `inspection` reads every file once; here the facts are judged. A fatal fault excludes its
subject, or refuses the cohort where it has none; the others are warnings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsearch.core.errors import BadInput
from medsearch.data.cohorts import Case, Cohort, Finding
from medsearch.data.inspection import CaseFacts, FileFacts, inspect_cases
from medsearch.data.layouts import Layout
from medsearch.data.layouts import layout as layout_named

_LEAST_BACKGROUND = 0.05
_MOST_OUTSIDE = 0.5
_AFFINE_DIGITS, _SPACING_DIGITS = 2, 3
_EXCLUDE = "or leave out the case"


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

    `required`: the contrasts that a study needs; the others are neither missed nor read. `cache`: a folder that
    remembers what files hold, by their content.

    Raises:
        BadInput: no such layout, or the layout has no such contrast.
    """
    kind = layout_named(layout)
    wanted = kind.contrasts if required is None else tuple(required)
    if unknown := [contrast for contrast in wanted if contrast not in kind.contrasts]:
        msg = f"layout {layout!r} has no contrast {unknown[0]!r}; choose from {', '.join(kind.contrasts)}"
        raise BadInput(msg)
    scan = kind.scan(root, required=required)
    files = [_wanted_files(case, wanted) for case in scan.cohort.cases]
    facts = inspect_cases(files, cache)
    findings = [*scan.findings]
    for case, paths, found in zip(scan.cohort.cases, files, facts, strict=True):
        findings += _CaseJudge(case.subject, paths, found, kind, scan.cohort.phantom).findings()
    findings += _about_cohort_grid(scan.cohort, files, facts)
    findings += _about_duplicates(scan.cohort, files, facts)
    order = {subject: number for number, subject in enumerate(scan.cohort.subjects)}
    findings.sort(key=lambda finding: order.get(finding.subject or "", -1))
    return Checked(scan.cohort, tuple(findings))


def _wanted_files(case: Case, wanted: Sequence[str]) -> dict[str, Path]:
    return {kind: path for kind, path in case.files.items() if kind == "mask" or kind in wanted}


@dataclass(frozen=True)
class _CaseJudge:
    """One case's facts, turned into findings."""

    subject: str
    paths: Mapping[str, Path]
    facts: CaseFacts
    layout: Layout
    phantom: bool

    def findings(self) -> Iterator[Finding]:
        common = _case_grid(self.facts)
        for kind, facts in self.facts.files.items():
            if facts.problem is not None:
                yield self._fatal(kind, facts.problem, facts.remedy or _EXCLUDE)
            else:
                yield from self._about_values(kind, facts)
                yield from self._about_grid(kind, facts, common)

    def _fatal(self, kind: str, problem: str, remedy: str) -> Finding:
        return Finding(self.subject, self.paths[kind], problem, remedy)

    def _about_values(self, kind: str, facts: FileFacts) -> Iterator[Finding]:
        if facts.not_finite:
            yield self._fatal(kind, f"{facts.not_finite} voxels are NaN or infinite", f"replace them, {_EXCLUDE}")
        yield from self._about_mask(facts) if kind == "mask" else self._about_image(kind, facts)

    def _about_image(self, kind: str, facts: FileFacts) -> Iterator[Finding]:
        if facts.low == facts.high:
            what = "is zero everywhere" if facts.low == 0 else f"is constant ({facts.low:g} everywhere)"
            yield self._fatal(kind, what, f"export the image again, {_EXCLUDE}")
        elif facts.zeros < _LEAST_BACKGROUND:
            problem = "has no background of zeros, which tells brain from the rest"
            yield Finding(self.subject, self.paths[kind], problem, "strip the skull", fatal=False)

    def _about_mask(self, facts: FileFacts) -> Iterator[Finding]:
        strange = [value for value in facts.values if value not in self.layout.labels]
        allowed = ", ".join(str(label) for label in self.layout.labels)
        if strange:
            listed = ", ".join(f"{value:g}" for value in strange)
            yield self._fatal("mask", f"holds {listed}, not only {allowed}", f"restore the labels, {_EXCLUDE}")
        elif facts.zeros == 1:
            remedy = "draw the tumour, or leave out the case"  # a phantom has healthy subjects only when asked to
            yield Finding(self.subject, self.paths["mask"], "is empty", remedy, fatal=not self.phantom)
        if self.facts.outside > _MOST_OUTSIDE:
            share = f"{self.facts.outside:.0%}"
            yield self._fatal("mask", f"{share} of the tumour lies outside the brain", "flip or register the mask")

    def _about_grid(self, kind: str, facts: FileFacts, common: FileFacts) -> Iterator[Finding]:
        difference = _difference(facts, common)
        if difference is None:
            return
        whose = "mask lies on another grid than the images" if kind == "mask" else "differs from the other contrasts"
        yield self._fatal(kind, f"{whose}: {difference}", f"resample it to their grid, {_EXCLUDE}")


def _case_grid(facts: CaseFacts) -> FileFacts:
    """A file on the grid that most of the images share; the earliest, where two are as common."""
    images = [found for kind, found in facts.files.items() if kind != "mask" and found.problem is None]
    if not images:
        return next((found for found in facts.files.values() if found.problem is None), FileFacts())
    return max(images, key=lambda one: sum(_difference(one, other) is None for other in images))


def _difference(one: FileFacts, other: FileFacts) -> str | None:
    """How two grids differ, in words; None if they do not."""
    if one.shape != other.shape:
        return f"shape {_times(one.shape)}, theirs {_times(other.shape)}"
    if _spacing(one) != _spacing(other):
        return f"spacing {_times(_spacing(one))} mm, theirs {_times(_spacing(other))} mm"
    if not np.allclose(one.affine, other.affine, rtol=0, atol=10**-_AFFINE_DIGITS):
        return "another affine (position or orientation)"
    return None


def _spacing(facts: FileFacts) -> tuple[float, ...]:
    edges = np.linalg.norm(np.array(facts.affine).reshape(4, 4)[:3, :3], axis=0)
    return tuple(round(float(edge), _SPACING_DIGITS) for edge in edges)


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _about_cohort_grid(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts]
) -> Iterator[Finding]:
    """Cases that lie on another grid than most; position in space may differ, size and axes may not."""
    grids = [_case_grid(found) for found in facts]
    described = [_described(grid) if grid.shape else None for grid in grids]
    counts = Counter(one for one in described if one is not None)
    if len(counts) < 2:
        return
    usual = counts.most_common(1)[0][0]
    for case, paths, one in zip(cohort.cases, files, described, strict=True):
        if one is not None and one != usual:
            folder = next(iter(paths.values())).parent
            yield Finding(case.subject, folder, f"{one}, the cohort's {usual}", f"resample the case, {_EXCLUDE}")


def _described(facts: FileFacts) -> str:
    directions = np.array(facts.affine).reshape(4, 4)[:3, :3] / np.array(_spacing(facts))
    axes = "".join(
        ("RAS" if directions[row, column] > 0 else "LPI")[row]
        for column, row in enumerate(np.abs(directions).argmax(axis=0))
    )
    return f"grid is {_times(facts.shape)} voxels of {_times(_spacing(facts))} mm, axes {axes}"


def _about_duplicates(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts]
) -> Iterator[Finding]:
    """The same image twice: under two subjects it may end up in two splits, in one subject a contrast is lost."""
    first: dict[str, tuple[str, str]] = {}
    for case, paths, found in zip(cohort.cases, files, facts, strict=True):
        told = set()
        for kind, image in found.files.items():
            if kind == "mask" or image.problem is not None or image.low == image.high:
                continue
            subject, contrast = first.setdefault(image.content, (case.subject, kind))
            if subject == case.subject and contrast != kind:
                yield Finding(subject, paths[kind], f"is the same image as {contrast}", f"restore it, {_EXCLUDE}")
            elif subject != case.subject and subject not in told:
                told.add(subject)
                remedy = "keep one of the two cases"
                yield Finding(case.subject, paths[kind], f"is the same image as {subject}'s {contrast}", remedy)
