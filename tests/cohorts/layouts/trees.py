"""A small sound folder of every layout: names alone, of empty files."""

from pathlib import Path

KINDS_2020 = ("flair", "t1", "t1ce", "t2", "seg")
KINDS_2023 = ("t2f", "t1n", "t1c", "t2w", "seg")
COLON = "1.3.6.1.4.1.9328.50.4"

FILES: dict[str, tuple[str, ...]] = {
    "brats2020": tuple(
        f"BraTS20_Training_{n:03d}/BraTS20_Training_{n:03d}_{k}.nii" for n in (1, 2) for k in KINDS_2020
    ),
    "brats2021": tuple(f"BraTS2021_{n:05d}/BraTS2021_{n:05d}_{k}.nii.gz" for n in (0, 2) for k in KINDS_2020),
    "brats2023": tuple(f"BraTS-GLI-{n:05d}-000/BraTS-GLI-{n:05d}-000-{k}.nii.gz" for n in (0, 2) for k in KINDS_2023),
    "crossmoda2021": (
        *(f"training_source/crossmoda2021_ldn_{n}_{k}.nii.gz" for n in (1, 2) for k in ("ceT1", "Label")),
        *(f"training_target/crossmoda2021_ldn_{n}_hrT2.nii.gz" for n in (106, 107)),
        "validation/crossmoda2021_ldn_211_hrT2.nii.gz",
    ),
    "crossmoda2022": (
        *(f"crossmoda2022_training/training_source/crossmoda2022_etz_0_{k}.nii.gz" for k in ("ceT1", "Label")),
        "crossmoda2022_training/training_target/crossmoda2022_etz_105_hrT2.nii.gz",
        "crossmoda2022_validation/crossmoda2021_ldn_211_hrT2.nii.gz",
    ),
    "abdominal_ct": (
        "Pancreas-CT/PANCREAS_0001/study/series/1-01.dcm",
        "Pancreas-CT/PANCREAS_0002.nii.gz",
        f"CT COLONOGRAPHY/{COLON}.0001.nii.gz",
        f"CT COLONOGRAPHY/{COLON}.0002/study/series/1-01.dcm",
        "paired/P1/CT.nii.gz",
        "paired/P1/ceCT/1-01.dcm",
    ),
    "nifti_folders": (
        "unpaired/CT/a.nii.gz",
        "unpaired/CT/b/1-01.dcm",
        "unpaired/ceCT/c.nii",
        "unpaired/ceCT/d/1-01.dcm",
        "paired/P1/CT.nii.gz",
        "paired/P1/ceCT/1-01.dcm",
    ),
}


def grow(root: Path, layout: str) -> Path:
    """Write the empty files of a layout's tree below `root`."""
    for name in FILES[layout]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def folders(root: Path) -> list[Path]:
    """The root and every folder below it."""
    return [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
