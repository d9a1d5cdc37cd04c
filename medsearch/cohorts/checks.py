"""Checking a cohort: every fault becomes one line that names the case, the file, and the remedy.

The layout looks at the names, `inspection` reads every file once; here the facts are judged, those of one case by
`case_validation`. A fatal fault excludes its subject, or refuses the cohort where it has none; the others are warnings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medsearch.cohorts.case_validation import EXCLUDE, MOST_TURN, CaseValidation, StackValues, TumourValues
from medsearch.cohorts.cohort import Cohort, Finding
from medsearch.cohorts.grid_consistency import common_grid, described, turns
from medsearch.cohorts.inspection import LABEL, MASK, CaseFacts, inspect_cases
from medsearch.cohorts.layouts import LAYOUTS, TUMOUR_LAYOUTS, tumour_layout
from medsearch.cohorts.layouts import layout as layout_named
from medsearch.cohorts.layouts.recognition import refusal
from medsearch.core.errors import BadInput, printable


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
    missing = any(_names_nothing(finding) for finding in scan.findings)
    if (missing or not scan.cohort.cases) and (known := refusal(root, kind, LAYOUTS)):
        return Checked(replace(scan.cohort, cases=()), (known,))
    wanted = scan.cohort.contrasts if required is None else tuple(required)
    if unknown := [contrast for contrast in wanted if contrast not in scan.cohort.contrasts]:
        msg = f"{layout} has no contrast {unknown[0]!r}; choose from {', '.join(scan.cohort.contrasts)}"
        raise BadInput(msg)
    cohort = scan.cohort.only(wanted)
    beside = {subject: {LABEL: path} for subject, path in scan.labels.items()}
    files = [{**case.files, **beside.get(case.subject, {})} for case in cohort.cases]
    facts = inspect_cases(files, cache)
    values = TumourValues(tumour_layout(layout), cohort.phantom) if layout in TUMOUR_LAYOUTS else StackValues()
    findings = [*scan.findings]
    findings += _about_names(cohort)
    for case, paths, case_facts in zip(cohort.cases, files, facts, strict=True):
        findings += CaseValidation(case.subject, paths, case_facts, kind, values).findings()
    if kind.grids == "one":
        findings += _about_cohort_grid(cohort, files, facts, kind.grid_tolerance)
    findings += _about_duplicates(cohort, files, facts)
    order = {subject: number for number, subject in enumerate(cohort.subjects)}
    findings.sort(key=lambda finding: order.get(finding.subject or "", -1))
    return Checked(cohort, tuple(findings))


def _names_nothing(finding: Finding) -> bool:
    """Whether the cohort is refused for what is not there."""
    return finding.fatal and finding.subject is None and not (finding.file and finding.file.exists())


def _about_names(cohort: Cohort) -> Iterator[Finding]:
    """Subjects whose names a terminal, a table or a page would not show as they are."""
    for case in cohort.cases:
        if printable(case.subject) != case.subject:
            where = next(iter(case.files.values()), cohort.root)
            yield Finding(case.subject, where, "has control characters in its name", f"rename it, {EXCLUDE}")


def _about_cohort_grid(
    cohort: Cohort, files: Sequence[Mapping[str, Path]], facts: Sequence[CaseFacts], tolerance: float
) -> Iterator[Finding]:
    """Cases that lie on another grid than most; position in space may differ, size and axes may not."""
    commons = [common_grid(found, tolerance) for found in facts]
    grids = [None if grid is None else described(grid) for grid in commons]
    usual = max(grids, key=lambda one: one is not None and grids.count(one), default=None)
    for case, paths, one in zip(cohort.cases, files, grids, strict=True):
        if one not in (None, usual):
            folder = next(iter(paths.values())).parent
            yield Finding(case.subject, folder, f"{one}, the cohort's {usual}", f"resample the case, {EXCLUDE}")
    alike = [(number, grid) for number, grid in enumerate(commons) if grid is not None and grids[number] == usual]
    angles = turns([grid for _, grid in alike]) if alike else []
    for (number, _), angle in zip(alike, angles, strict=True):
        if angle > MOST_TURN:
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
