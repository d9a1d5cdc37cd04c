"""What a NIfTI header says of its geometry, against itself and against the other cases."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.checks import case_findings, check
from medsearch.cohorts.cohort import Finding
from medsearch.cohorts.inspection import inspect_cases
from medsearch.cohorts.layouts import LAYOUTS
from medsearch.imaging.image_files import UnreadableVolume, skewness, turn
from medsearch.imaging.volumes import read_volume
from tests.cohorts import broken

SHAPE = (12, 10, 40)
EDGES = (4.0, 4.0, 5.0)
PLACE = np.array([[-4.0, 0, 0, 11], [0, -4.0, 0, 9], [0, 0, 5.0, -30], [0, 0, 0, 1]])
XYZT, PIXDIM, CODES, QUATERNION = 123, 80, 252, 256


def turned(degrees: float, axis: int = 0) -> np.ndarray:
    """(4, 4): a rotation about an axis of the world."""
    matrix, angle = np.eye(4), np.radians(degrees)
    one, other = [at for at in range(3) if at != axis]
    matrix[one, one] = matrix[other, other] = np.cos(angle)
    matrix[one, other], matrix[other, one] = -np.sin(angle), np.sin(angle)
    return matrix


def ct() -> np.ndarray:
    """HU of a cuboid body in air, of which a fifth is 0 (so that it is an image with a background, too)."""
    array = np.full(SHAPE, -1000, np.int16)
    array[:3] = 0
    array[4:10, 2:8, 5:35] = np.random.default_rng(0).integers(-50, 150, (6, 6, 30))
    return array


def write(
    path: Path,
    sform: np.ndarray | None = PLACE,
    qform: np.ndarray | None = PLACE,
    codes: tuple[int, int] = (1, 1),
    poke: tuple[int, bytes] | None = None,
) -> Path:
    """A file with these two geometries; None, or code 0: not coded. poke: bytes at a place of the header."""
    image = nibabel.Nifti1Image(ct(), None)
    if qform is not None:
        image.header.set_qform(qform, codes[1])
    if sform is not None:
        image.header.set_sform(sform, codes[0])
    if sform is not None and qform is None:
        image.header.set_zooms(np.linalg.norm(sform[:3, :3], axis=0))
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = broken.PATIENT.encode()
    content = bytearray(nibabel.Nifti1Image(ct(), None, image.header).to_bytes())
    if poke is not None:
        content[poke[0] : poke[0] + len(poke[1])] = poke[1]
    path.write_bytes(bytes(content))
    return path


def findings(path: Path, layout: str, kind: str = "CT") -> list[Finding]:
    facts = inspect_cases([{kind: path}], path.parent / "cache")[0]
    return list(case_findings("a", {kind: path}, facts, layout=LAYOUTS[layout]))


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def coded(sform: int, qform: int) -> tuple[int, bytes]:
    """To poke codes that nibabel does not write."""
    return CODES, struct.pack("<2h", qform, sform)


def scaled(factor: float) -> np.ndarray:
    return PLACE @ np.diag([factor, factor, factor, 1.0])


def sheared(degrees: float) -> np.ndarray:
    shear = np.eye(4)
    shear[1, 2] = np.tan(np.radians(degrees))
    return PLACE @ shear


Write = Callable[[Path], Path]
SIZES = "its two geometries (sform, qform) disagree"

CONTRADICTIONS: dict[str, tuple[Write, bool, str]] = {
    "sform half the qform": (
        lambda path: write(path, np.diag([1.0, 1, 1, 1]), np.diag([2.0, 2, 2, 1])), True,
        f"{SIZES}: 1 mm and 2 mm; the sform is taken",
    ),
    "so with codes of two spaces": (lambda path: write(path, scaled(0.5), codes=(4, 1)), True, f"{SIZES}: 2 x 2 x 2.5"),
    "one edge only": (lambda path: write(path, PLACE @ np.diag([1, 1, 0.9, 1])), True, "4 x 4 x 4.5 mm and 4 x 4 x 5"),
    "sform against pixdim, no qform": (
        lambda path: write(path, qform=None, poke=(PIXDIM, floats(1, 1, 1))), True,
        "its sform and its voxel sizes (pixdim) disagree: 4 x 4 x 5 mm and 1 mm; the sform is taken",
    ),
    "neither coded": (lambda path: write(path, None, None), True, "neither its sform nor its qform is coded"),
    "coded with 0": (lambda path: write(path, codes=(0, 0)), True, "neither its sform nor its qform is coded"),
    "sheared": (lambda path: write(path, sheared(10)), True, "is sheared: its axes meet at"),
    "sheared without a qform": (lambda path: write(path, sheared(-8), None), True, "is sheared"),
    "qform turned": (lambda path: write(path, turned(12) @ PLACE), True, f"{SIZES} by 12 degrees"),
    "qform mirrored": (lambda path: write(path, PLACE @ np.diag([-1, 1, 1, 1])), True, f"{SIZES} by 180 degrees"),
    "axes exchanged": (lambda path: write(path, turned(90, axis=2) @ PLACE), True, f"{SIZES} by 90 degrees"),
    "turned between two spaces": (lambda path: write(path, turned(12) @ PLACE, codes=(4, 1)), False, "by 12 degrees"),
    "moved": (lambda path: write(path, np.diag([1.0, 1, 1, 1]) @ (PLACE + np.eye(4, k=3) * 30)), False, "by 30 mm"),
    "metres that are millimetres": (lambda path: write(path, poke=(XYZT, b"\1")), True, "4000 x 4000 x 5000 mm"),
    "microns that are millimetres": (lambda path: write(path, poke=(XYZT, b"\3")), True, "0.004 x 0.004 x 0.005 mm"),
    "voxels as large as heads": (lambda path: write(path, scaled(50), scaled(50)), True, "has voxels of 200"),
    "negative pixdim under a qform": (
        lambda path: write(path, None, poke=(PIXDIM, floats(-4, 4, 5))), True, "has a negative voxel size",
    ),
    "negative pixdim under an sform": (
        lambda path: write(path, qform=None, poke=(PIXDIM, floats(-4, 4, 5))), False, "has a negative voxel size",
    ),
    "a qform that is no rotation": (lambda path: write(path, poke=(QUATERNION, floats(9, 9, 9))), False, "qform"),
    "a sform in no space of NIfTI's": (
        lambda path: write(path, scaled(0.5), poke=coded(6, 1)), True,
        f"{SIZES}: 4 x 4 x 5 mm and 2 x 2 x 2.5 mm; the qform is taken",
    ),
    "no form in a space of NIfTI's": (lambda path: write(path, None, poke=coded(0, 6)), True, "neither its sform"),
    "an sform of code -1 alone": (lambda path: write(path, qform=None, poke=coded(-1, 0)), True, "neither its sform"),
    "a qform in no space of NIfTI's": (
        lambda path: write(path, scaled(0.5), poke=coded(1, 7)), True, f"{SIZES}: 2 x 2 x 2.5",
    ),
    "no thickness under an sform": (lambda path: write(path, poke=(PIXDIM, floats(4, 4, 0))), False, "a damaged qform"),
    "a qform of NaN": (lambda path: write(path, poke=(QUATERNION, floats(np.nan, 0, 0))), False, "a damaged qform"),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["brats2020", "brats2023", "crossmoda2022", "abdominal_ct", "nifti_folders"])
@pytest.mark.parametrize("fault", CONTRADICTIONS)
def test_a_header_that_contradicts_itself_is_told(
    fault: str, layout: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, fatal, problem = CONTRADICTIONS[fault]
    found = findings(make(tmp_path / "a.nii"), layout)
    about = [one for one in found if problem in one.problem]
    assert len(about) == 1, [str(one) for one in found]
    assert (about[0].fatal, bool(about[0].remedy)) == (fatal, True)
    others = [one.problem for one in found if one is not about[0]]
    assert not [text for text in others if re.search("geometr|sform|qform|pixdim|sheared|has voxels", text)]
    assert "DOE" not in "".join(map(str, found))
    assert "".join(capfd.readouterr()) == "", "nibabel tells of what it corrects"


SOUND: dict[str, Write] = {
    "both alike": write,
    "the sform alone": lambda path: write(path, qform=None),
    "the qform alone": lambda path: write(path, sform=None),
    "an sform without sizes beside it": lambda path: write(path, qform=None, poke=(PIXDIM, floats(0, 0, 0))),
    "a handedness of 0, which counts as 1": lambda path: write(path, poke=(PIXDIM - 4, floats(0))),
    "so with the qform alone": lambda path: write(path, None, poke=(PIXDIM - 4, floats(0))),
    "an sform in no space of NIfTI's that agrees": lambda path: write(path, poke=coded(6, 1)),
    "no unit": lambda path: write(path, poke=(XYZT, b"\0")),
    "mm and seconds": lambda path: write(path, poke=(XYZT, bytes([2 | 8]))),
    "two codes, one geometry": lambda path: write(path, codes=(4, 1)),
}


@pytest.mark.parametrize("layout", ["brats2020", "crossmoda2022", "nifti_folders"])
@pytest.mark.parametrize("name", SOUND)
def test_a_header_that_agrees_with_itself_is_no_finding(name: str, layout: str, tmp_path: Path) -> None:
    assert findings(SOUND[name](tmp_path / "a.nii"), layout) == []
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").spacing, EDGES)


@pytest.mark.parametrize(("code", "unit"), [(1, 1000.0), (3, 0.001)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_metres_and_microns_are_read_as_millimetres(code: int, unit: float, form: str, tmp_path: Path) -> None:
    said = np.diag([1 / unit, 1 / unit, 1 / unit, 1.0]) @ PLACE
    other = {"sform": None, "qform": None} | {form: said}
    path = write(tmp_path / "a.nii", **other, poke=(XYZT, bytes([code])))
    np.testing.assert_allclose(read_volume(path).affine, PLACE, rtol=1e-5)
    assert findings(path, "nifti_folders") == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_geometry_that_is_no_number_cannot_be_read(value: float, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVolume, match="without a usable geometry"):
        read_volume(write(tmp_path / "a.nii", poke=(280, floats(value))))
    with pytest.raises(UnreadableVolume, match="without a usable geometry"):
        read_volume(write(tmp_path / "b.nii", None, poke=(QUATERNION, floats(9, 9, 9))))
    with pytest.raises(UnreadableVolume, match="without a usable geometry"):  # nibabel would make it 1 mm
        read_volume(write(tmp_path / "c.nii", None, poke=(PIXDIM, floats(4, 4, 0))))


@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    edges=st.tuples(*[st.floats(0.3, 8)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    flip=st.sampled_from([-1, 1]),
)
def test_what_rounding_leaves_is_no_finding(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, ...], edges: tuple[float, ...], origin: tuple[float, ...], flip: int,
) -> None:  # fmt: skip
    """A header keeps a quaternion in single precision, which near half a turn is coarse."""
    affine = turned(angles[0], 0) @ turned(angles[1], 1) @ turned(angles[2], 2) @ np.diag([flip, 1, 1, 1.0])
    affine = affine @ np.diag([*edges, 1.0])
    affine[:3, 3] = origin
    path = write(tmp_path_factory.mktemp("geometry") / "a.nii", affine, affine)
    assert [
        one for one in findings(path, "crossmoda2022") if "geometries" in one.problem or "sheared" in one.problem
    ] == []


@given(degrees=st.floats(0, 179), axis=st.integers(0, 2))
def test_turns_and_shears_are_measured(degrees: float, axis: int) -> None:
    assert turn(turned(degrees, axis) @ PLACE, PLACE) == pytest.approx(degrees, abs=1e-5)
    assert skewness(turned(degrees, axis) @ PLACE) == pytest.approx(0, abs=1e-5)
    assert skewness(sheared(degrees / 3) @ np.eye(4)) > min(degrees / 4, 30) - 1e-6


def test_a_label_beside_an_image_may_lie_anyhow(tmp_path: Path) -> None:
    """Those of Pancreas-CT were released without a grid to trust, and no task reads them."""
    found = findings(write(tmp_path / "a.nii", None, None), "abdominal_ct", kind="label")
    assert not [one for one in found if one.fatal]


def _case(root: Path, subject: str, affine: np.ndarray, kinds: tuple[str, ...] = (*broken.CONTRASTS, "seg")) -> None:
    for kind in kinds:
        path = root / subject / f"{subject}_{kind}.nii.gz"
        broken.save(path, np.asarray(nibabel.load(path).dataobj), affine)


def test_a_case_that_is_turned_against_the_cohort_is_told(tmp_path: Path) -> None:
    root = broken.write(tmp_path / "cohort")
    _case(root, broken.BAD, turned(12, axis=1) @ broken.AFFINE)
    (finding,) = check(root).findings
    assert (finding.subject, finding.fatal) == (broken.BAD, True)
    assert finding.problem == "is turned by 12 degrees against the other cases"


def test_a_contrast_that_is_turned_against_its_case_is_told(tmp_path: Path) -> None:
    root = broken.write(tmp_path / "cohort")
    _case(root, broken.BAD, turned(12, axis=1) @ broken.AFFINE, ("t1",))
    (finding,) = check(root).findings
    assert "differs from the other contrasts: another affine" in finding.problem


def test_a_cohort_that_is_turned_as_a_whole_or_by_rounding_is_sound(tmp_path: Path) -> None:
    root = broken.write(tmp_path / "cohort")
    for number, subject in enumerate(broken.SUBJECTS):
        _case(root, subject, turned(12 + 0.01 * number) @ broken.AFFINE)
    assert check(root).findings == ()


@pytest.mark.parametrize(("degrees", "said"), [(0, None), (3, None), (12, "lies 12 degrees off"), (25, "obliquely")])
def test_how_far_a_ct_lies_aslant_is_told(degrees: float, said: str | None, tmp_path: Path) -> None:
    affine = turned(degrees) @ PLACE
    found = findings(write(tmp_path / "a.nii", affine, affine), "nifti_folders")
    assert [(said in one.problem, one.fatal) for one in found] == ([(True, degrees > 18)] if said else [])
