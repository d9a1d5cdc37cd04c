"""One DICOM file: what its header says of the image, and the image. Nothing that names a person is kept or told.

Of a header the tags in `TAGS` are kept, none of which names anybody; pydicom skips the rest as it reads, but for the
character set and the file's own meta-information, which end with the call, as does all that GDCM decodes of a
compressed file. No text of a header is quoted in a message, and no message or warning of pydicom's is passed on.
"""

import contextlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Lying = Literal["supine", "prone", "other"]

TAGS = (
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "GantryDetectorTilt",
    "HighBit",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "Modality",
    "NumberOfFrames",
    "PatientPosition",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PixelSpacing",
    "PlanarConfiguration",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "SeriesInstanceUID",
)
"""All that is read of a header, by DICOM's own keywords (PS3.6)."""

# What may be wrong with a file, and what to do.
_NOT_CT = "is not a CT image but of another modality", "move it elsewhere"
_NOWHERE = "does not say where it lies in space", "export the original images again, or move it elsewhere"
_NOT_GREY = "is not one grey image", "export one file per slice, or move it elsewhere"
_NO_SCALE = "lacks the slope and intercept that make HU", "export the original images again"
_CUT_OFF = "has no whole image", "copy or download it again"
_DAMAGED = "has a header that is damaged", "export the original images again, or move it elsewhere"
_NOT_DICOM = "is not a DICOM file", "move it elsewhere, or copy or download it again"
_PACKED = "is compressed in a way that cannot be unpacked", "copy it again, or store the series uncompressed"

_TILT_DEGREES = 0.1
_PARALLEL = 0.9
"""The least cosine between a slice's normal and the body's axis that is called axial."""


class BadSlice(Exception):
    """A file is no slice of a CT series: `problem` says why, without quoting it, and `remedy` what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What the header of one axial or other CT slice says.

    position: the first voxel's centre in LPS, mm. axes: (2, 3), the directions in LPS in which columns and rows are
    counted. spacing: mm along those. size: the numbers of columns and rows. tilt: of the gantry, degrees.
    localizer, original: the words of ImageType. series: tells series apart, and is shown to nobody.
    """

    path: Path
    series: str
    size: tuple[int, int]
    position: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    tilt: float
    localizer: bool
    original: bool
    lying: Lying

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """The direction in which slices are counted, so that columns, rows and slices are right-handed."""
        return np.cross(*self.axes)

    @property
    def axial(self) -> bool:
        """Whether slices follow each other along the body."""
        return bool(abs(self.normal[2]) >= _PARALLEL)

    @property
    def tilted(self) -> bool:
        """Whether the header says that the gantry was tilted."""
        return abs(self.tilt) > _TILT_DEGREES


def read_slice(path: Path) -> Slice:
    """The header of one file of a CT series.

    Raises:
        BadSlice: not DICOM, not a CT image, without a place in space or without the scale to HU, or damaged.
    """
    header = _header(path, pixels=False)
    try:
        return _slice(path, header)
    except BadSlice:
        raise
    except Exception:  # a tag holds what it must not, and whatever was raised may quote it: none is passed on
        raise BadSlice(*_DAMAGED) from None


def _slice(path: Path, header: Any) -> Slice:
    if str(header.get("Modality", "")).strip() != "CT":
        raise BadSlice(*_NOT_CT)
    words = {str(word).strip().upper() for word in _all(header.get("ImageType"))}
    place = _numbers(header, "ImagePositionPatient", 3), _numbers(header, "ImageOrientationPatient", 6)
    edges, size = _numbers(header, "PixelSpacing", 2), (header.get("Columns"), header.get("Rows"))
    if place[0] is None or place[1] is None or edges is None or not (edges > 0).all() or not all(size):
        raise BadSlice(*_NOWHERE)
    if int(header.get("SamplesPerPixel") or 1) != 1 or int(header.get("NumberOfFrames") or 1) != 1:
        raise BadSlice(*_NOT_GREY)
    slope = _numbers(header, "RescaleSlope", 1)
    if slope is None or slope[0] == 0 or _numbers(header, "RescaleIntercept", 1) is None:
        raise BadSlice(*_NO_SCALE)
    tilt = _numbers(header, "GantryDetectorTilt", 1)
    return Slice(
        path=path,
        series=str(header.get("SeriesInstanceUID", "")),
        size=(int(size[0]), int(size[1])),
        position=place[0],
        axes=place[1].reshape(2, 3),
        spacing=(float(edges[1]), float(edges[0])),
        tilt=0.0 if tilt is None else float(tilt[0]),
        localizer="LOCALIZER" in words,
        original="ORIGINAL" in words and "SECONDARY" not in words,
        lying=_lying(str(header.get("PatientPosition", "")).strip().upper()),
    )


def read_pixels(path: Path) -> npt.NDArray[Any]:
    """The image (rows, columns) in HU: int16 where slope and intercept are whole numbers and it fits, else float32.

    Raises:
        BadSlice: the pixels are missing, cut off, or stored in a way that nothing here unpacks.
    """
    header = _header(path, pixels=True)
    try:
        packed = header.file_meta.TransferSyntaxUID.is_compressed
        stored = None if packed else np.asarray(header.pixel_array)
    except Exception:  # pydicom raises many types, whose messages may quote the header: none is passed on
        raise BadSlice(*_CUT_OFF) from None
    if stored is None:
        return _in_hu(_unpacked(path), 1.0, 0.0)
    return _in_hu(stored, float(header.RescaleSlope), float(header.RescaleIntercept))


def _header(path: Path, *, pixels: bool) -> Any:
    import pydicom
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE  # its warnings would quote the values that it finds odd
    tags: list[Any] = [*TAGS, "PixelData"] if pixels else [*TAGS]
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # for good: contexts of filters are not for threads
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    try:
        return pydicom.dcmread(path, specific_tags=tags, stop_before_pixels=not pixels)
    except Exception:  # as above
        raise BadSlice(*_NOT_DICOM) from None


def _unpacked(path: Path) -> npt.NDArray[Any]:
    """A compressed image, unpacked and brought to HU by GDCM."""
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        array: npt.NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
        return np.squeeze(array)
    except RuntimeError:
        raise BadSlice(*_PACKED) from None


def _in_hu(stored: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    values = stored.astype(np.float64) * slope + intercept
    bounds = np.iinfo(np.int16)
    whole = slope.is_integer() and intercept.is_integer() and np.issubdtype(stored.dtype, np.integer)
    fits = values.size and values.min() >= bounds.min and values.max() <= bounds.max
    return values.astype(np.int16 if whole and fits else np.float32)


def _numbers(header: Any, keyword: str, count: int) -> npt.NDArray[np.float64] | None:
    """The `count` finite numbers of a tag, or None."""
    with contextlib.suppress(Exception):  # whatever stands there instead is not quoted
        found = np.array([float(number) for number in _all(header.get(keyword))])
        if found.size == count and np.isfinite(found).all():
            return found
    return None


def _all(value: Any) -> list[Any]:
    if value is None or isinstance(value, str | bytes):
        return [] if value is None else [value]
    return list(value) if hasattr(value, "__iter__") else [value]


def _lying(word: str) -> Lying:
    """How the patient lies, by PatientPosition (HFS, FFS: supine; HFP, FFP: prone)."""
    return "supine" if word in ("HFS", "FFS") else "prone" if word in ("HFP", "FFP") else "other"
