"""A computed volume as one DICOM series, as a CT scanner stores it: the same bytes for the same content.

Nobody is named in the headers but "PHANTOM^" and the subject's own identifier. Patients lie on the back, or on the
front: then the scanner's columns and rows run the other way, and so do the affine's.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from medsearch.core.seeds import seed
from medsearch.phantoms.grids import Point

if TYPE_CHECKING:
    from pydicom import Dataset

_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_DAY = "20000101"


@dataclass(frozen=True, kw_only=True)
class SeriesHeader:
    """What the headers of a series say. intercept: of the scale to HU; 0 stores them as they are, signed.

    upwards: whether files are numbered from the feet to the head.
    """

    subject: str
    number: int
    lying: Literal["HFS", "HFP"] = "HFS"
    localizer: bool = False
    intercept: int = -1024
    upwards: bool = False

    @property
    def uid(self) -> str:
        """The series' own number, from its subject and its place."""
        return _uid(self.subject, self.number)


def write_series(
    folder: Path, hu: npt.NDArray[np.int16], header: SeriesHeader, *, spacing: Point, origin: Point
) -> None:
    """Write `hu` (x, y, z of LPS: left, back, up) as files 1-001.dcm and so on.

    spacing: mm along x, y and z. origin: the first voxel's centre in LPS, mm.
    """
    folder.mkdir(parents=True)
    count = hu.shape[2]
    side = -1 if header.lying == "HFP" else 1
    far = [at + (size - 1) * edge for at, size, edge in zip(origin, hu.shape, spacing, strict=True)]
    corner = origin if side > 0 else far
    dataset = _common(header, (hu.shape[1], hu.shape[0]), spacing)
    dataset.ImageOrientationPatient = [side, 0, 0, 0, side, 0]
    for index in range(count):
        number = index + 1 if header.upwards else count - index
        rows = np.ascontiguousarray(hu[::side, ::side, index].T)
        _place(dataset, header, number, (corner[0], corner[1], origin[2] + index * spacing[2]))
        dataset.PixelData = (rows.astype(np.int32) - header.intercept).astype(_stored(header)).tobytes()
        dataset.save_as(folder / f"{header.number}-{number:03d}.dcm", enforce_file_format=True)


def write_scout(folder: Path, picture: npt.NDArray[np.int16], header: SeriesHeader, *, spacing: Point) -> None:
    """Write one projection (x, z), the scout on which a scan is planned."""
    folder.mkdir(parents=True)
    dataset = _common(header, (picture.shape[1], picture.shape[0]), (spacing[0], spacing[2], spacing[1]))
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    _place(dataset, header, 1, (0.0, 0.0, 0.0))
    rows = np.ascontiguousarray(picture.T[::-1])
    dataset.PixelData = (rows.astype(np.int32) - header.intercept).astype(_stored(header)).tobytes()
    dataset.save_as(folder / f"{header.number}-001.dcm", enforce_file_format=True)


def _common(header: SeriesHeader, size: tuple[int, int], spacing: Point) -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = _CT_STORAGE
    words = ["ORIGINAL", "PRIMARY", "LOCALIZER" if header.localizer else "AXIAL"]
    dataset.ImageType, dataset.Modality, dataset.Manufacturer = words, "CT", "computed"
    dataset.PatientID, dataset.PatientName = header.subject, f"PHANTOM^{header.subject}"
    dataset.StudyDate = dataset.SeriesDate = _DAY
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(header.subject, "study"), header.uid
    dataset.FrameOfReferenceUID = _uid(header.subject, "frame", header.number)
    dataset.SeriesNumber, dataset.PatientPosition = header.number, header.lying
    dataset.Rows, dataset.Columns = size
    dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    dataset.SliceThickness = _decimal(spacing[2])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(_stored(header) == np.int16)
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, header.intercept, "HU"
    return dataset


def _place(dataset: "Dataset", header: SeriesHeader, number: int, corner: Point) -> None:
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = _uid(header.subject, header.number, number)
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = [_decimal(at) for at in corner]


def _stored(header: SeriesHeader) -> type[np.int16] | type[np.uint16]:
    return np.uint16 if header.intercept else np.int16


def _decimal(number: float) -> str:
    """A decimal string of DICOM, which has 16 characters at most."""
    return f"{number:.6f}"


def _uid(*names: str | int) -> str:
    return f"2.25.{seed(0, 'dicom', *names)}"
