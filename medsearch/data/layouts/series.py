"""Which of a subject's DICOM series is the volume: the axial original CT, neither a scout nor a part of the body.

Series are known by the header of one slice and the number of their files; what they hold is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsearch.core.ranges import Fraction, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.data.dicom import first_slice
from medsearch.data.dicom_slices import Lying, Slice
from medsearch.data.image_files import visible


@recipe
class SeriesRule:
    """Which series are volumes.

    lying: how the patient must lie; None: as may be. share: of the slices of the subject's largest axial series, so
    many at least. fewest: slices at least, which no scout has. In CT Colonography (HQColon) whole series have 350 or
    more, of Pancreas-CT 181 or more; a share holds for coarser ones too.
    """

    lying: Lying | None = None
    share: Fraction = 0.5
    fewest: PositiveInt = 16


@dataclass(frozen=True)
class Series:
    """One folder of files: how many slices they hold, and what the first among them says; None: there is none."""

    folder: Path
    count: int
    slice: Slice | None


@dataclass(frozen=True)
class Choice:
    """The chosen folder; or why there is none, and what to do."""

    folder: Path | None
    problem: str = ""
    remedy: str = ""


def chosen(subject: Path, rule: SeriesRule) -> Choice:
    """The series of a subject's folder that is its volume: of those that `rule` takes, the one with most slices.

    Originals go before derived series, which show the same slices again, thicker or turned. Of equal ones the first by
    name. A subject whose only files are no slices keeps them, so that a check says why.
    """
    found = [_series(folder) for folder in _folders(subject)]
    if not found:
        return Choice(None, "holds no file", "put its series there, or leave out the case")
    axial = [series for series in found if _is_axial(series)]
    whole = [series for series in axial if series.slice and series.slice.original] or axial
    most = max((series.count for series in whole), default=0)
    least = max(rule.fewest, rule.share * most)
    taken = [series for series in whole if series.count >= least and _lies(series, rule)]
    if taken:
        return Choice(_first(taken).folder)
    if not any(series.slice for series in found):
        return Choice(_first(found).folder)
    return Choice(None, _lacking(found, whole, rule), "add it, or leave out the case")


def _series(folder: Path) -> Series:
    one, files = first_slice(folder), len(_files(folder))
    return Series(folder, files * (one.frames if one else 1), one)


def _lacking(found: Sequence[Series], whole: Sequence[Series], rule: SeriesRule) -> str:
    if not whole:
        return f"has no axial CT among its {len(found)} series"
    if rule.lying and not any(_lies(series, rule) for series in whole):
        return f"has no {rule.lying} series among its {len(whole)} axial ones"
    which = f"{rule.lying} " if rule.lying else ""
    return f"has no whole {which}series: none of enough slices"


def _first(series: Sequence[Series]) -> Series:
    return min(series, key=lambda one: (-one.count, one.folder))


def _is_axial(series: Series) -> bool:
    one = series.slice
    return one is not None and one.axial and not one.localizer


def _lies(series: Series, rule: SeriesRule) -> bool:
    return rule.lying is None or (series.slice is not None and series.slice.lying == rule.lying)


def _files(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if not path.is_dir()]


def _folders(subject: Path) -> list[Path]:
    """The folder and all below it that hold files, in the order of names."""
    found = [subject] if _files(subject) else []
    for path in visible(subject):
        if path.is_dir():
            found += _folders(path)
    return found
