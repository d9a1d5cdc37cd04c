"""DICOM series whose headers name a patient everywhere, and every way of breaking one that must be refused by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from medsearch.phantoms.abdomen.series import SeriesHeader, write_series

PLANTED = "PLANTED"
"""Whatever is planted holds this word; it must be found nowhere but in the files themselves."""
SHAPE, SPACING, ORIGIN = (12, 10, 8), (2.0, 2.5, 5.0), (-11.0, -9.0, -300.0)


def volume(seed: int = 0) -> np.ndarray:
    """(x, y, z) of LPS in HU."""
    return np.random.default_rng(seed).integers(-1000, 1500, SHAPE).astype(np.int16)


def plant(folder: Path) -> Path:
    """Name a patient in every file of a folder, as an export from a clinic does."""
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID = f"{PLANTED}^NAME", f"{PLANTED}-ID"
        dataset.PatientBirthDate, dataset.PatientAddress = "19010101", f"{PLANTED} STREET 1"
        dataset.InstitutionName, dataset.ReferringPhysicianName = f"{PLANTED} HOSPITAL", f"{PLANTED}^REFERRER"
        dataset.SeriesDescription, dataset.StudyID = f"{PLANTED} SERIES", f"{PLANTED}1"
        dataset.ImageComments = f"{PLANTED} COMMENT"
        dataset.file_meta.SourceApplicationEntityTitle = f"{PLANTED}AE"
        dataset.add_new((0x0009, 0x0010), "LO", f"{PLANTED} PRIVATE")
        dataset.save_as(path)
    return folder


def write(folder: Path, hu: np.ndarray | None = None, **header: object) -> Path:
    """A sound series with a patient's name in it."""
    said = SeriesHeader(subject="A", **{"number": 1, **header})
    write_series(folder, volume() if hu is None else hu, said, spacing=SPACING, origin=ORIGIN)
    return plant(folder)


def edit(path: Path, change: Callable[[Dataset], object]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def every(change: Callable[[Dataset], object]) -> Callable[[Path], None]:
    return lambda folder: [edit(path, change) for path in sorted(folder.iterdir())] and None


def one(change: Callable[[Dataset], object]) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "1-003.dcm", change)


def _set(**tags: object) -> Callable[[Dataset], object]:
    return lambda dataset: [setattr(dataset, keyword, value) for keyword, value in tags.items()]


def _lose(keyword: str) -> Callable[[Dataset], object]:
    return lambda dataset: delattr(dataset, keyword)


def _raw(keyword: str, vr: str, value: object) -> Callable[[Dataset], object]:
    """A tag with what it must not hold, unchecked."""

    def change(dataset: Dataset) -> None:
        element = DataElement(tag_for_keyword(keyword), "LO" if isinstance(value, str) else vr, value)
        element.VR = vr if not isinstance(value, str) else "LO"
        dataset[keyword] = element

    return change


def _lose_syntax(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = "1.2.3.4.5"


def _shear(dataset: Dataset) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, f"{float(y) + 0.2 * (float(z) + 300):.4f}", z]


def _uneven(dataset: Dataset) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y, f"{float(z) + max(0.0, 0.3 * (float(z) + 285)):.4f}"]


def _second(folder: Path) -> None:
    other = write(folder.parent / "other", number=2)
    for path in sorted(other.iterdir())[:5]:
        path.rename(folder / path.name)


def _twice(folder: Path) -> None:
    (folder / "copy.dcm").write_bytes((folder / "1-004.dcm").read_bytes())


def _png(folder: Path) -> None:
    (folder / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + PLANTED.encode() * 40)


def _emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _cut(folder: Path) -> None:
    content = (folder / "1-003.dcm").read_bytes()
    (folder / "1-003.dcm").write_bytes(content[:-40])


SYNTAXES = ("JPEGLosslessProcess14_1", "JPEGLosslessProcess14", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless")


def pack(path: Path, syntax: str = "JPEGLosslessProcess14_1") -> None:
    """Compress the image or images of a file without loss. syntax: what GDCM calls it."""
    reader, writer, change = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    whole, packed = pydicom.dcmread(path), path.with_suffix(".packed")
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    compressed = pydicom.dcmread(packed)
    packed.unlink()
    whole["PixelData"] = compressed["PixelData"]  # the rest as it was: GDCM rewrites what it knows of frames
    whole.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
    whole.save_as(path)


def _pack_and_cut(folder: Path) -> None:
    pack(folder / "1-003.dcm")
    _cut(folder)


def _nested(folder: Path) -> None:
    (folder / "more").mkdir()


@dataclass(frozen=True)
class Broken:
    """A way of breaking a series, and what must be said of it."""

    breaks: Callable[[Path], object]
    problem: str
    remedy: str


MOVE = "move it elsewhere"
BROKEN: Mapping[str, Broken] = {
    "a missing slice": Broken(
        lambda folder: (folder / "1-004.dcm").unlink(),
        r"a slice is missing between positions -285 and -275 mm",
        "copy or download the series again",
    ),
    "two missing slices": Broken(
        lambda folder: [(folder / f"1-00{number}.dcm").unlink() for number in (4, 5)],
        r"2 slices are missing between positions -290 and -275 mm",
        "copy or download the series again",
    ),
    "uneven spacing": Broken(every(_uneven), r"unevenly spaced: 6.5 mm apart, but 5 mm between", "of one spacing"),
    "two series": Broken(_second, r"2 series are mixed here \(8 and 5 slices\)", "keep one series per folder"),
    "a slice twice": Broken(_twice, r"two slices at position -280 mm", "each slice once"),
    "a sheared stack": Broken(every(_shear), "tilted gantry", "undo the tilt"),
    "a tilt that the header tells": Broken(every(_set(GantryDetectorTilt=12)), "tilted gantry", "undo the tilt"),
    "a PNG": Broken(_png, r"shot\.png is not a DICOM file", MOVE),
    "another modality": Broken(every(_set(Modality="MR")), r"1-001\.dcm is not a CT image", MOVE),
    "one file of another modality": Broken(one(_set(Modality="PLANTED")), r"1-003\.dcm is not a CT image", MOVE),
    "a localizer": Broken(
        every(_set(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])), r"localizer \(scout\) only", "axial series"
    ),
    "no slice": Broken(_emptied, "holds no slice", "put the files of one CT series there"),
    "two slices": Broken(
        lambda folder: [path.unlink() for path in sorted(folder.iterdir())[2:]], "holds 2 slices only", "whole series"
    ),
    "another size": Broken(
        one(lambda dataset: _set(Rows=5, PixelData=dataset.PixelData[:120])(dataset)),
        r"1-003\.dcm has another size",
        MOVE,
    ),
    "another pixel spacing": Broken(one(_set(PixelSpacing=[2.5, 2.1])), r"1-003\.dcm has another pixel spacing", MOVE),
    "another direction": Broken(
        one(_set(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])), r"1-003\.dcm has another direction", MOVE
    ),
    "no position": Broken(one(_lose("ImagePositionPatient")), r"1-003\.dcm does not say where it lies", MOVE),
    "a position that is a name": Broken(
        one(lambda dataset: dataset.__setitem__("ImagePositionPatient", _words(dataset))), "does not say where", MOVE
    ),
    "no slope": Broken(one(_lose("RescaleSlope")), r"1-003\.dcm lacks the slope and intercept", "export"),
    "no number of frames": Broken(
        one(_raw("NumberOfFrames", "IS", f"{PLANTED}^NAME")), r"1-003\.dcm has a header that", MOVE
    ),
    "several columns": Broken(one(_raw("Columns", "US", [12, 12])), r"1-003\.dcm has a header that is damaged", MOVE),
    "several high bits": Broken(one(_raw("HighBit", "US", [11, 15])), r"1-003\.dcm has a header that is damaged", MOVE),
    "no syntax": Broken(one(_lose_syntax), r"1-003\.dcm ", "again"),
    "pixels without size": Broken(one(_set(PixelSpacing=[0, 0])), r"1-003\.dcm does not say where it lies", MOVE),
    "a slope of nothing": Broken(one(_set(RescaleSlope=0)), r"1-003\.dcm lacks the slope", "export the original"),
    "colours": Broken(one(_set(SamplesPerPixel=3)), r"1-003\.dcm is not one grey image", MOVE),
    "a cut file": Broken(_cut, r"1-003\.dcm has no whole image", "copy or download it again"),
    "a cut compressed file": Broken(_pack_and_cut, r"1-003\.dcm has no whole image", "copy or download"),
    "numbers in the upper bits": Broken(
        one(_set(BitsStored=12, HighBit=15)), r"1-003\.dcm stores its numbers in other bits", "export the original"
    ),
    "a map of atomic numbers": Broken(
        every(_set(RescaleType="Z_EFF")), r"1-001\.dcm holds another quantity than HU", MOVE
    ),
    "a folder among them": Broken(_nested, r"holds a folder \(more\)", "series' own folder"),
}


def _words(dataset: Dataset) -> pydicom.DataElement:
    element = pydicom.DataElement("ImagePositionPatient", "LO", PLANTED)
    element.tag = dataset["ImagePositionPatient"].tag
    return element
