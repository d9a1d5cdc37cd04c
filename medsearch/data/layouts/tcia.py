"""The two TCIA collections of paper 000: their folders, their subjects, and which series of a subject is its volume.

Pancreas-CT once had 82 cases; two were withdrawn, though their labels still lie among the others. CT Colonography shows
everybody on the back and on the front; the list of the healthy ones is a file that the user puts there.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from medsearch.data.cohorts import Case, Finding
from medsearch.data.image_files import visible
from medsearch.data.layouts.images import Found, Images
from medsearch.data.layouts.series import SeriesRule, chosen

WITHDRAWN = ("PANCREAS_0025", "PANCREAS_0070")
LABELS = "TCIA_pancreas_labels*"

_LABEL = re.compile(r"label(?P<number>\d{4})\.nii(\.gz)?")


@dataclass(frozen=True)
class Archive:
    """One collection: its folder, its subjects' names, its contrast, and which series are volumes."""

    folder: str
    subject: re.Pattern[str]
    contrast: str
    rule: SeriesRule

    def places(self, root: Path) -> list[Path]:
        """Where it lies."""
        return [base / self.folder for base in bases(root) if (base / self.folder).is_dir()]

    def cases(self, root: Path, only: Collection[str] | None) -> Found:
        """A case for each subject; of several series the one that `rule` takes. `only`: passes over all others."""
        cases: list[Case] = []
        findings: list[Finding] = []
        for place in self.places(root):
            images = Images.of(place)
            findings += images.findings(tolerated=[path.name for path in place.glob(LABELS)])
            for subject, paths in images.named.items():
                if not self.subject.fullmatch(subject):
                    if not paths[0].match(LABELS):
                        findings.append(
                            Finding(None, paths[0], "is no case of this collection", "move it", fatal=False)
                        )
                elif only is None or subject in only:
                    found = self._case(subject, paths[0])
                    cases += found.cases
                    findings += [*found.findings, *images.twice(subject, subject)]
        return Found(tuple(cases), (*findings, *self._lacking(root, cases)))

    def _case(self, subject: str, path: Path) -> Found:
        if not path.is_dir():
            return Found((Case(subject, {self.contrast: path}, None),))
        choice = chosen(path, self.rule)
        if choice.folder is not None:
            return Found((Case(subject, {self.contrast: choice.folder}, None),))
        if subject in WITHDRAWN:
            problem = f"was withdrawn from the collection and {choice.problem}"
            return Found(findings=(Finding(subject, path, problem, "it is passed over", fatal=False),))
        fault = Finding(subject, path, choice.problem, choice.remedy)
        return Found((Case(subject, {}, None),), (fault,))

    def _lacking(self, root: Path, cases: Collection[Case]) -> Iterator[Finding]:
        if not cases:
            where = next(iter(self.places(root)), root / self.folder)
            problem = "holds no case" if where.is_dir() else "is not a folder"
            yield Finding(None, where, problem, f"unpack {self.folder} there, one folder per subject")


ARCHIVES = (
    Archive("Pancreas-CT", re.compile(r"PANCREAS_\d{4}"), "ceCT", SeriesRule()),
    Archive("CT COLONOGRAPHY", re.compile(r"1\.3\.6\.1\.4\.1\.[\d.]+"), "CT", SeriesRule(lying="supine")),
)


def bases(root: Path) -> list[Path]:
    """Where collections may lie: the root, and the manifests by which they were downloaded."""
    return [root, *(path for path in visible(root) if path.is_dir() and path.name.startswith("manifest-"))]


def labels(root: Path) -> dict[str, Path]:
    """The outlines of the pancreas by subject, wherever their folder was unpacked."""
    places = [
        folder for base in bases(root) for folder in (*base.glob(LABELS), *base.glob(f"{ARCHIVES[0].folder}/{LABELS}"))
    ]
    found: dict[str, Path] = {}
    for path in [path for place in sorted(places) if place.is_dir() for path in visible(place)]:
        if match := _LABEL.fullmatch(path.name):
            found.setdefault(f"PANCREAS_{match['number']}", path)
    return found


def without_image(found: dict[str, Path], subjects: Collection[str]) -> Iterator[Finding]:
    """Labels of nobody here."""
    for subject, path in found.items():
        if subject not in subjects:
            why = "whose CT was withdrawn" if subject in WITHDRAWN else "whose CT is not here"
            yield Finding(subject, path, f"labels a case {why}", "it is passed over", fatal=False)


def listed(path: Path) -> tuple[frozenset[str] | None, tuple[Finding, ...]]:
    """The subjects that a file names, one a line; None without a file."""
    if not path.is_file():
        return None, ()
    try:
        return frozenset(path.read_text(encoding="utf-8-sig").split()), ()
    except (OSError, ValueError):
        return None, (Finding(None, path, "cannot be read as text", "save it as UTF-8, one subject a line"),)
