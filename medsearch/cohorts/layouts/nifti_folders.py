"""A layout for anybody's CT images, in HU: unpaired ones by contrast, and pairs to test on.

    <root>/unpaired/<contrast>/<subject>.nii[.gz]
    <root>/paired/<subject>/<contrast>.nii[.gz]          optional

Each image may also be a folder with one DICOM series, called as the file would be. The folders name the contrasts, and
a subject comes once: somebody with two contrasts belongs under paired.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from medsearch.cohorts.cohort import Case, Cohort, Finding
from medsearch.cohorts.layouts.images import AXIAL, PAIRED, Found, Images, leaving, paired_cases, unique
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, Grids, Scan, unexpected
from medsearch.imaging.geometry import AxialGeometry
from medsearch.imaging.image_files import visible

UNPAIRED = "unpaired"


@dataclass(frozen=True)
class NiftiFolders:
    """Finds the cases of the generic folders by their names."""

    name: str = "nifti_folders"
    contrasts: tuple[str, ...] = ()
    grids: Grids = "own"
    grid_tolerance: float = 1e-2

    @property
    def geometries(self) -> Mapping[str, AxialGeometry]:
        """Paper 000's size, which is small enough for the small scale too, and half of it."""
        return AXIAL

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, contrast by contrast, then the pairs; and the faults that names show."""
        unpaired = _unpaired(root, required)
        contrasts = dict.fromkeys(contrast for case in unpaired.cases for contrast in case.images)
        groups = [unpaired, _paired(root, tuple(required or contrasts), required or ())]
        cases, twice = unique([case for group in groups for case in group.cases])
        named = dict.fromkeys([*(required or ()), *(contrast for case in cases for contrast in case.images)])
        phantom = (root / PHANTOM_RECORD).is_file()
        name = f"{self.name}-phantom" if phantom else self.name
        cohort = Cohort(name, root, self.name, tuple(named), cases, phantom=phantom)
        findings = [finding for group in groups for finding in group.findings]
        return Scan(cohort, (*_about_root(root), *findings, *twice, *leaving(cases, root)))


def _unpaired(root: Path, required: Collection[str] | None) -> Found:
    folder = root / UNPAIRED
    if not folder.is_dir():
        return Found(findings=(Finding(None, folder, "is not a folder", "put one folder per contrast there"),))
    cases: list[Case] = []
    findings: list[Finding] = []
    present = {path.name: path for path in visible(folder) if path.is_dir()}
    findings += [unexpected(path) for path in visible(folder) if not path.is_dir()]
    for contrast, place in present.items():
        if required is not None and contrast not in required:
            continue
        images = Images.of(place).without_strays()
        findings += images.findings()
        for subject, paths in images.named.items():
            findings += images.twice(subject, subject)
            cases.append(Case(subject, {contrast: paths[0]}, None))
        if not images.named:
            lacking = Finding(None, place, "holds no image", "put <subject>.nii.gz there")
            remedy = "put <subject>.nii.gz there, or move it elsewhere"
            findings.append(unexpected(place, remedy=remedy) if required is None else lacking)
    for contrast in required or ():
        if contrast not in present:
            findings.append(Finding(None, folder / contrast, "is not a folder", f"put images of {contrast} there"))
    return Found(tuple(cases), tuple(findings))


def _paired(root: Path, known: Collection[str], wanted: Collection[str]) -> Found:
    folder = root / PAIRED
    if not folder.is_dir():
        remedy = f"put <subject>/<contrast>.nii.gz under {PAIRED}"
        what = "is not a folder: without pairs nothing can be tested"
        return Found(findings=(Finding(None, folder, what, remedy, fatal=False),) if root.is_dir() else ())
    return paired_cases(folder, known, wanted)


def _about_root(root: Path) -> tuple[Finding, ...]:
    if not root.is_dir():
        return ()
    return tuple(unexpected(path) for path in visible(root) if path.name not in (UNPAIRED, PAIRED, PHANTOM_RECORD))
