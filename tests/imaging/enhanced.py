"""Enhanced (multi-frame) CT: all slices of a series in one DICOM file, as some scanners and archives store them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items

from tests.cohorts import planted

STORAGE = "1.2.840.10008.5.1.4.1.1.2.1"


def item(**tags: object) -> Dataset:
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def frame(index: int, z: float, scale: tuple[float, float] | None) -> Dataset:
    """The functional groups of one frame, with names where names do not belong."""
    x, y, _ = planted.ORIGIN
    groups = {
        "FrameContentSequence": [
            item(StackID="1", InStackPositionNumber=index + 1, FrameComments=f"{planted.PLANTED}")
        ],
        "PlanePositionSequence": [item(ImagePositionPatient=[x, y, z])],
        "DerivationImageSequence": [item(DerivationDescription=f"{planted.PLANTED} DERIVED")],
    }
    if scale is not None:
        groups["PixelValueTransformationSequence"] = [
            item(RescaleSlope=scale[0], RescaleIntercept=scale[1], RescaleType="HU")
        ]
    return item(**{name: Items(items) for name, items in groups.items()})


def write(
    path: Path,
    hu: np.ndarray | None = None,
    *,
    order: Sequence[int] | None = None,
    scales: Sequence[tuple[float, float]] | None = None,
    per_frame_plane: bool = False,
    change: Callable[[Dataset], object] = lambda dataset: None,
) -> Path:
    """A sound file of `hu` (x, y, z of LPS), frames in the given order of slices, each with its own scale if given."""
    hu = planted.volume() if hu is None else hu
    order = range(hu.shape[2]) if order is None else order
    each = scales or [(1.0, -1024.0)] * len(order)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = pydicom.uid.ExplicitVRLittleEndian, STORAGE
    meta.MediaStorageSOPInstanceUID = "2.25.7"
    made = item(SOPClassUID=STORAGE, SOPInstanceUID="2.25.7", Modality="CT", SeriesInstanceUID="2.25.8")
    made.file_meta = meta
    made.PatientName, made.PatientID = f"{planted.PLANTED}^NAME", f"{planted.PLANTED}-ID"
    made.ImageType, made.PatientPosition = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "HFS"
    made.Columns, made.Rows, made.NumberOfFrames = hu.shape[0], hu.shape[1], len(order)
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    plane = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared = item(
        PixelMeasuresSequence=Items(
            [item(PixelSpacing=[planted.SPACING[1], planted.SPACING[0]], SliceThickness=planted.SPACING[2])]
        ),
        CTImageFrameTypeSequence=Items([item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])]),
    )
    frames = [
        frame(at, planted.ORIGIN[2] + z * planted.SPACING[2], each[at] if scales else None)
        for at, z in enumerate(order)
    ]
    if not scales:
        scale = item(RescaleSlope=each[0][0], RescaleIntercept=each[0][1])
        shared.PixelValueTransformationSequence = Items([scale])
    for one in frames if per_frame_plane else [shared]:
        one.PlaneOrientationSequence = Items(plane)
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = Items([shared]), Items(frames)
    stored = [np.rint((hu[:, :, z].T - each[at][1]) / each[at][0]) for at, z in enumerate(order)]
    made.PixelData = np.stack(stored).astype(np.uint16).tobytes()
    change(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path
