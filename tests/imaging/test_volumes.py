import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.imaging.image_files import UnreadableVolume
from medsearch.imaging.volumes import read_volume, write_volume

AFFINE = np.array([[-2.0, 0, 0, 5], [0, -2.0, 0, 239], [0, 0, 3.0, -7], [0, 0, 0, 1]])


@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    dtype=st.sampled_from(["uint8", "int16", "int32", "int64", "float32", "float64", "bool"]),
    ending=st.sampled_from([".nii", ".nii.gz"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int, int], dtype: str, ending: str
) -> None:
    path = tmp_path_factory.mktemp("volumes") / f"image{ending}"
    array = (np.random.default_rng(0).integers(0, 100, shape) % (2 if dtype == "bool" else 100)).astype(dtype)
    write_volume(path, array, AFFINE)
    volume = read_volume(path)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, array.astype(np.float32))
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert volume.spacing == pytest.approx((2, 2, 3))
    assert volume.path == path


def test_nibabel_reads_what_is_written(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    write_volume(tmp_path / "image.nii.gz", array, AFFINE)
    image = nibabel.load(tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(image.get_fdata(), array)
    assert image.get_data_dtype() == np.int16
    assert image.header.get_xyzt_units()[0] == "mm"


def test_the_scaling_in_a_header_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.array([[[0.0, 0.5, 100.0]]]), AFFINE)
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "image.nii.gz")
    np.testing.assert_allclose(read_volume(tmp_path / "image.nii.gz").array, [[[0, 0.5, 100]]], atol=0.01)


def test_a_trailing_axis_of_one_is_dropped(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 4, 1), np.float32), AFFINE), tmp_path / "image.nii")
    assert read_volume(tmp_path / "image.nii").array.shape == (2, 3, 4)


def test_nifti2_is_read(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(np.ones((2, 3, 4), np.float32), AFFINE), tmp_path / "image.nii")
    assert read_volume(tmp_path / "image.nii").array.sum() == 24


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, array, AFFINE)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"image\.img: .*rename"):
        write_volume(tmp_path / "image.img", np.zeros((2, 2, 2)), AFFINE)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_no_truncated_file_is_read(tmp_path: Path, share: float, ending: str) -> None:
    path = tmp_path / f"image{ending}"
    write_volume(path, np.random.default_rng(0).normal(size=(12, 12, 12)), AFFINE)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableVolume) as caught:
        read_volume(path)
    assert str(caught.value).startswith(f"{path}: {caught.value.problem}; ")


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_in_a_compressed_file_changes_a_voxel(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("volumes") / "image.nii.gz"
    array = np.random.default_rng(0).normal(size=(6, 6, 6)).astype(np.float32)
    write_volume(path, array, AFFINE)
    content = bytearray(path.read_bytes())
    content[10 + int(place * (len(content) - 10))] ^= 1 << bit  # behind gzip's header, whose time and name are free
    path.write_bytes(content)
    try:
        read = read_volume(path).array
    except UnreadableVolume:
        return
    np.testing.assert_array_equal(read, array)  # one of the few bits that only fill up the last byte


def test_a_header_that_promises_too_much_is_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    content = nibabel.Nifti1Image(np.zeros((8, 8, 8), np.float32), AFFINE).to_bytes()
    path.write_bytes(gzip.compress(content[:-100]))
    with pytest.raises(UnreadableVolume, match="is truncated"):
        read_volume(path)
