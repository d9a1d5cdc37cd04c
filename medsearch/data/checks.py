"""Checking a cohort: every fault becomes one line that names the case, the file, and the remedy.

The layout looks at the names, `inspection` reads every file once; here the facts are judged. A fatal fault excludes its
subject, or refuses the cohort where it has none; the others are warnings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.data.agreement import common_grid, described, difference
from medsearch.data.cohorts import Cohort, Finding
from medsearch.data.inspection import CaseFacts, FileFacts, inspect_cases
from medsearch.data.layouts import Layout
from medsearch.data.layouts import layout as layout_named

_LEAST_BACKGROUND = 0.05
_MOST_OUTSIDE = 0.5
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

    `required`: the contrasts that a study needs; the others are neither missed nor read, and the cohort that comes back
    is without them. `cache`: a folder that remembers what files hold, by their content.

    Raises:
        BadInput: no such layout, or the layout has no such contrast.
    """
    kind = layout_named(layout)
    wanted = kind.contrasts if required is None else tuple(required)
    if unknown := [contrast for contrast in wanted if contrast not in kind.contrasts]:
        msg = f"layout {layout!r} has no contrast {unknown[0]!r}; choose from {', '.join(kind.contrasts)}"
        raise BadInput(msg)
    scan = kind.scan(root, required=required)
    cohort = scan.cohort.only(wanted)
    files = [case.files for case in cohort.cases]
    facts = inspect_cases(files, cache)
    findings = [*scan.findings]
    for case, paths, found in zip(cohort.cases, files, facts, strict=True):
        findings += _CaseJudge(case.subject, paths, found, kind, cohort.phantom).findings()
    if kind.atlas is None:
        findings += _about_cohort_grid(cohort, files, facts, kind.grid_tolerance)
    findings += _about_duplicates(cohort, files, facts)
    order = {subject: number for number, subject in enumerate(cohort.subjects)}
    findings.sort(key=lambda finding: order.get(finding.subject or "", -1))
    return Checked(cohort, tuple(findings))


@dataclass(frozen=True)
class _CaseJudge:
    """One case's facts, turned into findings."""

    subject: str
    paths: Mapping[str, Path]
    facts: CaseFacts
    layout: Layout
    phantom: bool

    def findings(self) -> Iterator[Finding]:
        common = common_grid(self.facts, self.layout.grid_tolerance)
        for kind, facts in self.facts.files.items():
            if facts.problem is not None:
                yield self._fatal(kind, facts.problem, facts.remedy or _EXCLUDE)
            else:
                yield from self._about_values(kind, facts)
                yield from self._about_grid(kind, difference(facts, common or facts, self.layout.grid_tolerance))

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
        elif facts.zeros < _LEAST_BACKGROUND and self.layout.atlas is None:
            problem = "has no background of zeros, which tells brain from the rest"
            yield Finding(self.subject, self.paths[kind], problem, "strip the skull", fatal=False)

    def _about_mask(self, facts: FileFacts) -> Iterator[Finding]:
        strange = [value for value in facts.values if value not in self.layout.labels]
        allowed = ", ".join(str(label) for label in self.layout.labels)
        if strange:
            listed = ", ".join(f"{value:g}" for value in strange)
            yield self._fatal("mask", f"holds {listed}, not only {allowed}", f"restore the labels, {_EXCLUDE}")
        elif not any(value in self.layout.tumour for value in facts.values):
            remedy = "draw the tumour, or leave out the case"  # a phantom has healthy subjects only when asked to
            what = f"holds no tumour, only {facts.values[0]:g}" if facts.values else "is empty"
            yield Finding(self.subject, self.paths["mask"], what, remedy, fatal=not self.phantom)
        if self.facts.outside > _MOST_OUTSIDE:
            where = "outside the brain" if self.layout.atlas is None else "where the image is 0"
            problem = f"{self.facts.outside:.0%} of the tumour lies {where}"
            yield self._fatal("mask", problem, "flip or register the mask")

    def _about_grid(self, kind: str, how: str | None) -> Iterator[Finding]:
        if how is not None:
            what = "mask lies on another grid than the images" if kind == "mask" else "differs from the other contrasts"
            yield self._fatal(kind, f"{what}: {how}", f"resample it to their grid, {_EXCLUDE}")


def _about_cohort_grid(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts], tolerance: float
) -> Iterator[Finding]:
    """Cases that lie on another grid than most; position in space may differ, size and axes may not."""
    grids = [None if (grid := common_grid(found, tolerance)) is None else described(grid) for found in facts]
    usual = max(grids, key=lambda one: one is not None and grids.count(one), default=None)
    for case, paths, one in zip(cohort.cases, files, grids, strict=True):
        if one not in (None, usual):
            folder = next(iter(paths.values())).parent
            yield Finding(case.subject, folder, f"{one}, the cohort's {usual}", f"resample the case, {_EXCLUDE}")


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
