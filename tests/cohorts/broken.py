"""A sound BraTS-like cohort of tiny volumes, and every way of breaking it that `medsearch check` must name."""

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

CONTRASTS = ("flair", "t1", "t1ce", "t2")
SHAPE = (14, 16, 12)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 239], [0, 0, 1.0, 0], [0, 0, 0, 1]])
PATIENT = "DOE^JANE 1950"
SUBJECTS = tuple(f"BraTS20_Training_{number:03d}" for number in (1, 2, 3, 4))
BAD = SUBJECTS[1]


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a volume whose header names a patient, as an export from a clinic may."""
    image = nibabel.Nifti1Image(array, affine)
    image.header["descrip"] = PATIENT.encode()
    image.header["db_name"] = b"JANE DOE"
    nibabel.save(image, path)


def write(root: Path, ending: str = ".nii.gz") -> Path:
    """Four sound cases and the public archive's two tables."""
    brain = np.zeros(SHAPE, bool)
    brain[2:12, 2:14, 1:11] = True
    for number, subject in enumerate(SUBJECTS):
        rng = np.random.default_rng(number)
        (root / subject).mkdir(parents=True)
        for contrast in CONTRASTS:
            save(
                root / subject / f"{subject}_{contrast}{ending}",
                np.where(brain, rng.integers(50, 900, SHAPE), 0).astype(np.int16),
            )
        mask = np.zeros(SHAPE, np.uint8)
        mask[3:6, 4:8, 3:7] = rng.choice([1, 2, 4], (3, 4, 4))
        save(root / subject / f"{subject}_seg{ending}", mask)
    rows = [f"HGG,NA,NA,TCGA-0{number},NA,{subject}" for number, subject in enumerate(SUBJECTS)]
    columns = [
        f"{source}_subject_ID" for source in ("BraTS_2017", "BraTS_2018", "TCGA_TCIA", "BraTS_2019", "BraTS_2020")
    ]
    (root / "name_mapping.csv").write_text("\n".join([",".join(["Grade", *columns]), *rows]))
    (root / "survival_info.csv").write_text("Brats20ID,Age,Survival_days,Extent_of_Resection\n")
    return root


def file(root: Path, kind: str, ending: str = ".nii.gz") -> Path:
    return root / BAD / f"{BAD}_{kind}{ending}"


def edited(
    kind: str, change: Callable[[np.ndarray], np.ndarray | None], affine: np.ndarray = AFFINE
) -> Callable[[Path], None]:
    """A way of breaking: change one file's voxels (float32), in place or by returning others; or its affine."""

    def breaks(root: Path) -> None:
        path = file(root, kind)
        array = np.array(nibabel.load(path).get_fdata(), dtype=np.float32)
        changed = change(array)
        save(path, array if changed is None else changed, affine)

    return breaks


def filled(value: float) -> Callable[[np.ndarray], np.ndarray | None]:
    return lambda array: array.__setitem__((5, 6, 5), value)


def kept(share: float, kind: str, ending: str = ".nii.gz") -> Callable[[Path], None]:
    def breaks(root: Path) -> None:
        content = file(root, kind, ending).read_bytes()
        file(root, kind, ending).write_bytes(content[: int(share * len(content))])

    return breaks


def stored(kind: str, content: Callable[[bytes], bytes], ending: str = ".nii.gz") -> Callable[[Path], None]:
    """A way of breaking: replace a file's bytes, perhaps under another ending."""

    def breaks(root: Path) -> None:
        old = file(root, kind).read_bytes()
        file(root, kind).unlink()
        file(root, kind, ending).write_bytes(content(old))

    return breaks


def shifted(x: float = 0.0, spacing: float = 1.0) -> np.ndarray:
    affine = AFFINE * np.array([spacing, spacing, spacing, 1.0])
    affine[0, 3] += x
    return affine


def flip_bit(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(content) // 2] ^= 16
    return bytes(changed)


def without_geometry(content: bytes) -> bytes:
    plain = bytearray(gzip.decompress(content))
    plain[280:328] = bytes(48)  # the affine's rows
    return gzip.compress(bytes(plain))


def resampled_case(root: Path) -> None:
    for kind in (*CONTRASTS, "seg"):
        array = np.asarray(nibabel.load(file(root, kind)).dataobj)[:, :, :-1]
        save(file(root, kind), array)


def copied_case(root: Path) -> None:
    for kind in CONTRASTS:
        shutil.copy(root / SUBJECTS[0] / f"{SUBJECTS[0]}_{kind}.nii.gz", file(root, kind))


def recompressed_copy(root: Path) -> None:
    array = np.asarray(nibabel.load(root / SUBJECTS[0] / f"{SUBJECTS[0]}_t1.nii.gz").dataobj)
    save(file(root, "t1"), array.astype(np.float32))


def link_outside(root: Path) -> None:
    outside = root.parent / "elsewhere.nii.gz"
    file(root, "t1").rename(outside)
    file(root, "t1").symlink_to(outside)


def link_to_nothing(root: Path) -> None:
    file(root, "t1").unlink()
    file(root, "t1").symlink_to(root / "no-such-file.nii.gz")


def file_of_another(root: Path) -> None:
    file(root, "t1").rename(root / BAD / f"{SUBJECTS[0]}_t1.nii.gz")


def person_twice(root: Path) -> None:
    table = root / "name_mapping.csv"
    table.write_text(table.read_text().replace("TCGA-01", "TCGA-00"))


def other_capitals(root: Path) -> None:
    subject = BAD.upper()
    (root / SUBJECTS[0]).rename(root / subject)
    for path in list((root / subject).iterdir()):
        path.rename(path.with_name(path.name.replace(SUBJECTS[0], subject)))


def other_program(root: Path) -> None:
    (root / "derivatives" / "logs").mkdir(parents=True)
    (root / "derivatives" / "dataset_description.json").write_text("{}")


def without_images(root: Path) -> None:
    for path in (root / BAD).iterdir():
        path.unlink()


def all_uncompressed_then(breaks: Callable[[Path], None]) -> Callable[[Path], None]:
    def both(root: Path) -> None:
        shutil.rmtree(root)
        breaks(write(root, ".nii"))

    return both


@dataclass(frozen=True)
class Broken:
    """A way of breaking, and the one line that it must give. `where`: the end of the path that the line names."""

    breaks: Callable[[Path], object]
    problem: str
    where: str = ""
    subject: str | None = BAD
    fatal: bool = True


T1, SEG = f"{BAD}_t1.nii.gz", f"{BAD}_seg.nii.gz"

BROKEN = {
    "missing contrast": Broken(lambda root: file(root, "t1").unlink(), "contrast t1 is missing", BAD),
    "missing mask": Broken(lambda root: file(root, "seg").unlink(), "the mask is missing", BAD),
    "truncated gz": Broken(kept(0.6, "t1"), "is truncated", T1),
    "gz without its last bytes": Broken(kept(0.999, "t1"), "is truncated", T1),
    "truncated nii": Broken(all_uncompressed_then(kept(0.6, "t1", ".nii")), "is truncated", f"{BAD}_t1.nii"),
    "header only": Broken(all_uncompressed_then(kept(0.03, "t1", ".nii")), "is not a NIfTI file", f"{BAD}_t1.nii"),
    "truncated mask": Broken(kept(0.6, "seg"), "is truncated", SEG),
    "damaged gz": Broken(stored("t1", flip_bit), "is damaged|is truncated", T1),
    "zero bytes": Broken(stored("t1", lambda _: b""), "is empty \\(0 bytes\\)", T1),
    "not a NIfTI": Broken(
        stored("t1", lambda _: gzip.compress(b"<html>sign in first</html>" * 50)), "is not a NIfTI file", T1
    ),
    "text for an image": Broken(
        stored("t1", lambda _: b"sign in" * 99, ".nii"), "is not a NIfTI file", f"{BAD}_t1.nii"
    ),
    "plain but named gz": Broken(stored("t1", gzip.decompress), "is not gzip, though named .gz", T1),
    "gz but named plain": Broken(
        stored("t1", lambda old: old, ".nii"), "is gzip, though not named .gz", f"{BAD}_t1.nii"
    ),
    "no geometry": Broken(stored("t1", without_geometry), "without a usable geometry", T1),
    "complex numbers": Broken(edited("t1", lambda array: array.astype(np.complex64)), "one number per voxel", T1),
    "NaN": Broken(edited("t1", filled(np.nan)), "1 voxels are NaN or infinite", T1),
    "infinity": Broken(edited("t2", filled(-np.inf)), "1 voxels are NaN or infinite", f"{BAD}_t2.nii.gz"),
    "NaN in the mask": Broken(edited("seg", filled(np.nan)), "1 voxels are NaN or infinite", SEG),
    "constant image": Broken(edited("t1", lambda array: np.full_like(array, 7)), "is constant \\(7 everywhere\\)", T1),
    "image of zeros": Broken(edited("t1", np.zeros_like), "is zero everywhere", T1),
    "4D image": Broken(
        edited("t1", lambda array: np.stack([array, array], -1)), "is not 3D \\(shape 14x16x12x2\\)", T1
    ),
    "2D image": Broken(edited("t1", lambda array: array[:, :, 0]), "is not 3D \\(shape 14x16\\)", T1),
    "empty mask": Broken(edited("seg", np.zeros_like), "is empty;", SEG),
    "mask with a 3": Broken(edited("seg", filled(3)), "holds 3, not only 0, 1, 2, 4", SEG),
    "mask with a half": Broken(edited("seg", filled(0.5)), "holds 0.5, not only", SEG),
    "mask with a negative": Broken(edited("seg", filled(-1)), "holds -1, not only", SEG),
    "image for a mask": Broken(
        lambda root: shutil.copy(file(root, "t2"), file(root, "seg")), "not only 0, 1, 2, 4", SEG
    ),
    "mask of another shape": Broken(
        edited("seg", lambda array: array[:-1]), "on another grid than the images: shape 13 x 16 x 12, theirs 14", SEG
    ),
    "mask of another spacing": Broken(edited("seg", lambda _: None, shifted(spacing=2)), "spacing 2 x 2 x 2 mm", SEG),
    "mask moved": Broken(
        edited("seg", lambda _: None, shifted(x=3)), "another grid than the images: another affine", SEG
    ),
    "mask elsewhere": Broken(edited("seg", lambda array: np.roll(array, 9, 0)), "lies outside the brain", SEG),
    "other shape": Broken(
        edited("t1", lambda array: array[:, 1:]), "the other contrasts: shape 14 x 15 x 12, theirs", T1
    ),
    "other spacing": Broken(edited("t1", lambda _: None, shifted(spacing=1.5)), "the other contrasts: spacing 1.5", T1),
    "other affine": Broken(edited("flair", lambda _: None, shifted(x=9)), "another affine", f"{BAD}_flair.nii.gz"),
    "other axes": Broken(edited("t1", lambda _: None, AFFINE @ np.diag([-1, 1, 1, 1])), "another affine", T1),
    "case on another grid": Broken(
        resampled_case, "grid is 14 x 16 x 11 voxels .* the cohort's grid is 14 x 16 x 12", BAD
    ),
    "same subject twice": Broken(copied_case, f"is the same image as {SUBJECTS[0]}'s flair", f"{BAD}_flair.nii.gz"),
    "same image, stored otherwise": Broken(recompressed_copy, f"is the same image as {SUBJECTS[0]}'s t1", T1),
    "same image for two contrasts": Broken(
        lambda root: shutil.copy(file(root, "t1"), file(root, "t2")), "is the same image as t1", f"{BAD}_t2.nii.gz"
    ),
    "two files for a contrast": Broken(
        lambda root: shutil.copy(file(root, "t1"), file(root, "t1", ".nii")), "2 files for contrast t1", BAD
    ),
    "file of another case": Broken(file_of_another, "is named for another case", f"{SUBJECTS[0]}_t1.nii.gz"),
    "link to nothing": Broken(link_to_nothing, "is a link to a file that does not exist", T1),
    "case without images": Broken(without_images, "holds no image of the case", BAD),
    "folder that is no case": Broken(lambda root: (root / "notes").mkdir(), "unexpected", "notes", None, fatal=False),
    "folder of another program": Broken(other_program, "is unexpected here", "derivatives", None, fatal=False),
    "names differ in capitals": Broken(other_capitals, "capital letters", BAD, BAD),
    "link out of the cohort": Broken(link_outside, "is a link that leaves the cohort", T1, fatal=False),
    "no background": Broken(edited("t1", lambda array: array + 1), "has no background of zeros", T1, fatal=False),
    "unexpected file": Broken(
        lambda root: (root / BAD / "notes.txt").write_text("?"), "is unexpected", "notes.txt", fatal=False
    ),
    "unexpected folder": Broken(lambda root: (root / BAD / "DICOM").mkdir(), "is unexpected", "DICOM", fatal=False),
    "unexpected file at the top": Broken(
        lambda root: (root / "backup.zip").write_bytes(b"?"), "is unexpected", "backup.zip", None, fatal=False
    ),
    "person under two names": Broken(person_twice, "names TCGA-00 in 2 rows", "name_mapping.csv", None, fatal=False),
    "unreadable table": Broken(
        lambda root: (root / "name_mapping.csv").write_bytes(b"\xff\xfe\x00"),
        "cannot be read",
        "name_mapping.csv",
        None,
        fatal=False,
    ),
    "empty folder": Broken(lambda root: (shutil.rmtree(root), root.mkdir()), "holds no case", "cohort", None),
    "missing folder": Broken(shutil.rmtree, "is not a folder", "cohort", None),
    "file for a folder": Broken(
        lambda root: (shutil.rmtree(root), root.write_text("?")), "is not a folder", "cohort", None
    ),
}
"""Every fault by name; "cohort" is the folder itself."""
