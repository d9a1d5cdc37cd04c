"""One DICOM file: what its header says of its images, and the images. Nothing that names a person is kept or told.

A file holds one slice, or all slices of an enhanced (multi-frame) CT. Of a header the tags in `TAGS` are kept, none of
which names anybody, and of an enhanced one the tags in `FRAME_TAGS`, frame by frame; pydicom skips the rest as it
reads, but for the character set, the file's own meta-information and the other tags of frames, which end with the
call. Compressed images are unpacked by pydicom and GDCM. No text of a header is quoted in a message, and no message or
warning of pydicom's is passed on.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
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
    "RescaleType",
    "Rows",
    "SamplesPerPixel",
    "SeriesInstanceUID",
)
"""All that is read of a header, by DICOM's own keywords (PS3.6)."""
FRAME_TAGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "PlanePositionSequence": ("ImagePositionPatient",),
        "PlaneOrientationSequence": ("ImageOrientationPatient",),
        "PixelMeasuresSequence": ("PixelSpacing",),
        "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
        "CTAcquisitionDetailsSequence": ("GantryDetectorTilt",),
        "CTImageFrameTypeSequence": ("FrameType",),
    }
)
"""What is read of an enhanced CT's frames, by functional group (PS3.3, C.7.6.16 and C.8.15.3); a group stands once for
all frames, or in each."""
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_REQUIRED = ("Rows", "Columns", "BitsAllocated", "BitsStored")
"""Without these no pixel can be read; what is as good as always the same is taken as that where it is missing."""

# What may be wrong with a file, and what to do.
_NOT_CT = "is not a CT image but of another modality", "move it elsewhere"
_NOWHERE = "does not say where it lies in space", "export the original images again, or move it elsewhere"
_NOT_GREY = "is not one grey image", "export one file per slice, or move it elsewhere"
_NO_SCALE = "lacks the slope and intercept that make HU", "export the original images again"
_OTHER_QUANTITY = "holds another quantity than HU (RescaleType), such as an atomic number", "move it elsewhere"
_CUT_OFF = "has no whole image", "copy or download it again"
_DAMAGED = "has a header that is damaged", "export the original images again, or move it elsewhere"
_NOT_DICOM = "is not a DICOM file", "move it elsewhere, or copy or download it again"
_SHIFTED = (
    "stores its numbers in other bits than the lowest (HighBit), which nothing here reads",
    "export the original images again",
)
_NO_SIGN = (
    "does not say whether its numbers have a sign (PixelRepresentation), and some would differ",
    "export the original images again",
)
_NO_PREAMBLE = (
    "is DICOM data without preamble and file meta-information, so how it is encoded is not known",
    "store it as a DICOM file (dcmtk: dcmconv), or export the original images again",
)
_ODD_FRAMES = "has other numbers of frames in its header than of images", "export the original images again"
_PACKED = "is compressed in a way that cannot be unpacked", "copy it again, or store the series uncompressed"

_META_GROUP, _IMAGE_GROUP = 0x0002, 0x0008
"""With which group of tags a DICOM file begins behind its preamble, and with which without meta-information."""
_LAST_OF_GROUP, _LEAST_LENGTH = 0x0060, 64
"""Tags of the first group up to Modality, with one of which images begin; in so many bytes at least."""

_HU_TYPES = ("HU", "US", "")
"""What RescaleType is called where it is HU, or not specified (PS3.3, C.11.1.1.2); scanners with several energies store
maps of electron density and atomic number as CT, too."""
_LYING: Mapping[str, Lying] = {"HFS": "supine", "FFS": "supine", "HFP": "prone", "FFP": "prone"}
"""How the patient lies, by PatientPosition."""
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
    localizer, original: the words of ImageType. series: tells series apart, and is shown to nobody. frame: which of the
    file's images it is, from 0; frames: how many those are. scale: slope and intercept that make HU.
    """

    path: Path
    frame: int
    frames: int
    scale: tuple[float, float]
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


def read_slices(path: Path, content: bytes | None = None) -> list[Slice]:
    """The headers of the slices in one file of a CT series: one, or those of an enhanced CT in the order of its frames.

    content: the file's bytes, where they have been read; otherwise no more than the header is.

    Raises:
        BadSlice: not DICOM, not a CT image, without a place in space or without the scale to HU, or damaged.
    """
    header = _header(path, content, pixels=False)
    try:
        if str(header.get("Modality", "")).strip() != "CT":
            raise BadSlice(*_NOT_CT)
        groups = _frames(header)
        return [_slice(path, header, frame, len(groups), group) for frame, group in enumerate(groups)]
    except BadSlice:
        raise
    except Exception:  # a tag holds what it must not, and whatever was raised may quote it: none is passed on
        raise BadSlice(*_DAMAGED) from None


def _frames(header: Any) -> "list[Mapping[str, Any]]":
    """What is said of each frame apart from the header: nothing of a classic slice."""
    count = int(header.get("NumberOfFrames") or 1)
    shared, each = (list(header.get(keyword) or ()) for keyword in (_SHARED, _PER_FRAME))
    if not shared and not each:
        if count != 1:
            raise BadSlice(*_NOT_GREY)
        return [{}]
    if count > 1 and len(each) != count:  # each lies elsewhere
        raise BadSlice(*_ODD_FRAMES)
    return [_group([*shared[:1], *each[frame : frame + 1]]) for frame in range(count)]


def _group(items: Sequence[Any]) -> "Mapping[str, Any]":
    """The tags of `FRAME_TAGS` in the functional groups of `items`, the last of which counts."""
    return {
        keyword: inner[0].get(keyword)
        for item in items
        for sequence, keywords in FRAME_TAGS.items()
        if (inner := item.get(sequence))
        for keyword in keywords
        if inner[0].get(keyword) is not None
    }


def _slice(path: Path, whole: Any, frame: int, frames: int, group: "Mapping[str, Any]") -> Slice:
    header = group if group else whole
    words = {str(word).strip().upper() for word in _all(group.get("FrameType", whole.get("ImageType")))}
    place = _numbers(header, "ImagePositionPatient", 3), _numbers(header, "ImageOrientationPatient", 6)
    edges, size = _numbers(header, "PixelSpacing", 2), (whole.get("Columns"), whole.get("Rows"))
    if int(whole.get("SamplesPerPixel") or 1) != 1:
        raise BadSlice(*_NOT_GREY)
    if place[0] is None or place[1] is None or edges is None or not (edges > 0).all() or not all(size):
        raise BadSlice(*_NOWHERE)
    slope, intercept = _numbers(header, "RescaleSlope", 1), _numbers(header, "RescaleIntercept", 1)
    if slope is None or slope[0] == 0 or intercept is None:
        raise BadSlice(*_NO_SCALE)
    if str(header.get("RescaleType") or "HU").strip().upper() not in _HU_TYPES:
        raise BadSlice(*_OTHER_QUANTITY)
    tilt = _numbers(header, "GantryDetectorTilt", 1)
    return Slice(
        path=path,
        frame=frame,
        frames=frames,
        scale=(float(slope[0]), float(intercept[0])),
        series=str(whole.get("SeriesInstanceUID", "")),
        size=(int(size[0]), int(size[1])),
        position=place[0],
        axes=place[1].reshape(2, 3),
        spacing=(float(edges[1]), float(edges[0])),
        tilt=0.0 if tilt is None else float(tilt[0]),
        localizer="LOCALIZER" in words,
        original="ORIGINAL" in words and "SECONDARY" not in words,
        lying=_LYING.get(str(whole.get("PatientPosition", "")).strip().upper(), "other"),
    )


def read_pixels(slices: Sequence[Slice], content: bytes) -> list[npt.NDArray[Any]]:
    """The images (rows, columns) of all slices of one file, in HU, from its bytes: int16 where slope and intercept are
    whole numbers and it fits, else float32.

    Raises:
        BadSlice: the pixels are missing, cut off, or stored in a way that nothing here unpacks.
    """
    try:
        return _images(slices, content)
    except BadSlice:
        raise
    except Exception:  # as of a header: a tag holds what it must not
        raise BadSlice(*_DAMAGED) from None


def _images(slices: Sequence[Slice], content: bytes) -> list[npt.NDArray[Any]]:
    path, frames = slices[0].path, slices[0].frames
    header = _header(path, content, pixels=True)
    try:
        packed = bool(header.file_meta.TransferSyntaxUID.is_compressed)
    except Exception:  # as of a header: a tag holds what it must not
        raise BadSlice(*_CUT_OFF) from None
    if "PixelData" not in header:
        raise BadSlice(*_CUT_OFF)
    if packed and header.get("PixelRepresentation") is None:
        raise BadSlice(*_NO_SIGN)
    signless = _completed(header)
    try:
        stored = np.asarray(header.pixel_array).reshape(frames, int(header.Rows), int(header.Columns))
    except Exception:  # pydicom raises many types, whose messages may quote the header: none is passed on
        raise BadSlice(*(_PACKED if packed else _CUT_OFF)) from None
    if signless and (stored >> (int(header.BitsStored) - 1)).any():
        raise BadSlice(*_NO_SIGN)
    return [_in_hu(stored[one.frame], *one.scale) for one in slices]


def _completed(header: Any) -> bool:
    """See to it that pydicom can decode the pixels; whether a sign had to be left open.

    Numbers whose highest bit is never set are the same with and without a sign, so they are read as without one.

    Raises:
        BadSlice: a tag is missing that cannot be guessed.
    """
    lacking = [keyword for keyword in _REQUIRED if header.get(keyword) is None]
    if lacking:
        problem = f"lacks {lacking[0]}, without which its pixels cannot be read"
        raise BadSlice(problem, _DAMAGED[1])
    if int(header.get("HighBit") or header.BitsStored - 1) != header.BitsStored - 1:
        raise BadSlice(*_SHIFTED)
    for keyword, usual in (("SamplesPerPixel", 1), ("PhotometricInterpretation", "MONOCHROME2")):
        if header.get(keyword) is None:
            setattr(header, keyword, usual)
    if header.get("PixelRepresentation") is not None:
        return False
    header.PixelRepresentation = 0
    return True


def _header(path: Path, content: bytes | None, *, pixels: bool) -> Any:
    import pydicom
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE  # its warnings would quote the values that it finds odd
    tags: list[Any] = [*TAGS, "PixelData"] if pixels else [*TAGS, _SHARED, _PER_FRAME]
    warnings.filterwarnings("ignore", module=r"pydicom\b")  # for good: contexts of filters are not for threads
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            bare = _begins_with_meta(file.read(132))
            file.seek(0)
            return pydicom.dcmread(file, specific_tags=tags, stop_before_pixels=not pixels, force=bare)
    except BadSlice:
        raise
    except Exception:  # as above
        raise BadSlice(*_NOT_DICOM) from None


def _begins_with_meta(start: bytes) -> bool:
    """Whether a file, by its first 132 bytes, has no preamble but its meta-information, which says how it is encoded.

    Raises:
        BadSlice: it begins with the image's own tags, so that nothing says it.
    """
    if start[128:] == b"DICM" or len(start) < _LEAST_LENGTH:
        return False
    group, element = int.from_bytes(start[:2], "little"), int.from_bytes(start[2:4], "little")
    if group == _IMAGE_GROUP and element <= _LAST_OF_GROUP:
        raise BadSlice(*_NO_PREAMBLE)
    return group == _META_GROUP and element <= 1


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
