"""The layout of the two TCIA collections of paper 000, and of a folder with pairs to test on.

    <root>/[manifest-*/]Pancreas-CT/PANCREAS_<n>/<study>/<series>/*.dcm                    ceCT, portal-venous
    <root>/[manifest-*/]CT COLONOGRAPHY/1.3.6.1.4.1.9328.50.4.<n>/<study>/<series>/*.dcm   CT, on back and front
    <root>/paired/<subject>/{CT,ceCT}       .nii[.gz], or a folder with one series; optional
    <root>/TCIA_pancreas_labels-*/label<n>.nii.gz, or within Pancreas-CT; optional, no task reads them
    <root>/no_polyp.txt                     optional: the colonography subjects to take, one a line

A subject of the collections may also be a NIfTI file of that name. Each collection has one contrast, so its cases are
free (no part): the task says which contrast is source. The paper took 82 subjects of each; of Pancreas-CT 80 can still
be had, and its list of healthy colonography subjects is not published.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medsearch.data.cohorts import Cohort, Finding
from medsearch.data.geometry import AxialGeometry
from medsearch.data.image_files import visible
from medsearch.data.layouts.images import AXIAL, PAIRED, Found, leaving, paired_cases, unique
from medsearch.data.layouts.scans import PHANTOM_RECORD, Grids, Scan, unexpected
from medsearch.data.layouts.tcia import ARCHIVES, LABELS, bases, labels, listed, without_image

NO_POLYP = "no_polyp.txt"

_TOLERATED = re.compile(r"LICENSE.*|metadata\.csv|.*\.(tcia|xls|xlsx|pdf)", re.IGNORECASE)


@dataclass(frozen=True)
class AbdominalCT:
    """Finds the cases of the two collections and of the pairs by their names, and by a header per series."""

    name: str = "abdominal_ct"
    contrasts: tuple[str, ...] = ("CT", "ceCT")
    grids: Grids = "own"
    grid_tolerance: float = 1e-2

    @property
    def geometries(self) -> Mapping[str, AxialGeometry]:
        """Paper 000's size, which is small enough for the small scale too, and half of it."""
        return AXIAL

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, collection by collection, then the pairs; and the faults that names show."""
        wanted = self.contrasts if required is None else tuple(required)
        if not root.is_dir():
            fault = Finding(None, root, "is not a folder", "give the folder that holds the collections")
            return Scan(Cohort(self.name, root, self.name, self.contrasts, ()), (fault,))
        only, unread = listed(root / NO_POLYP)
        archives = [archive for archive in ARCHIVES if archive.contrast in wanted]
        groups = [archive.cases(root, only if archive.contrast == "CT" else None) for archive in archives]
        groups.append(self._pairs(root, wanted))
        cases, twice = unique([case for group in groups for case in group.cases])
        labelled = any("ceCT" in case.images and case.part is None for case in cases)
        outlines = labels(root) if labelled else {}
        findings = [*_about_root(root), *unread, *(finding for group in groups for finding in group.findings), *twice]
        subjects = frozenset(case.subject for case in cases)
        findings += [*without_image(outlines, subjects), *leaving(cases, root), *_unlisted(only, subjects, root)]
        phantom = (root / PHANTOM_RECORD).is_file()
        name = f"{self.name}-phantom" if phantom else self.name
        cohort = Cohort(name, root, self.name, self.contrasts, cases, phantom=phantom)
        return Scan(
            cohort, tuple(findings), {subject: path for subject, path in outlines.items() if subject in subjects}
        )

    def _pairs(self, root: Path, wanted: Collection[str]) -> Found:
        folder = root / PAIRED
        if folder.is_dir():
            return paired_cases(folder, self.contrasts, wanted)
        remedy = "without pairs nothing can be tested; put <subject>/CT.nii.gz and <subject>/ceCT.nii.gz there"
        return Found(findings=(Finding(None, folder, "is not a folder", remedy, fatal=False),))


def _about_root(root: Path) -> Iterator[Finding]:
    known = {PAIRED, NO_POLYP, PHANTOM_RECORD, *(archive.folder for archive in ARCHIVES)}
    for base in bases(root):
        for path in visible(base):
            expected = path.name in known or path.match(LABELS) or (path.match("manifest-*") and base == root)
            if not expected and not _TOLERATED.fullmatch(path.name):
                yield unexpected(path)


def _unlisted(only: Collection[str] | None, subjects: Collection[str], root: Path) -> Iterator[Finding]:
    """Names on the list of whom there is nothing."""
    missing = sorted(set(only or ()) - set(subjects))
    if missing:
        problem = f"names {len(missing)} subjects who are not here, such as {missing[0]}"
        yield Finding(None, root / NO_POLYP, problem, "add their images, or delete the lines", fatal=False)
