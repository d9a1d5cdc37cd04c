"""From a cohort's files to arrays that every trial of a node maps into memory: made once, found again by content.

<folder>/prepared-<fingerprint>-<spacing>mm-<normalisation>-v<version>/
    image-<contrast>.npy    (cases, Z, Y, X) float16 in [-1, 1], background 0
    mask.npy                (cases, Z, Y, X) uint8, whole tumour = 1
    cases.json              shape, spacing, and what was measured of each case; written last
"""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.records import read_json, sync_directory, write_json
from medsearch.data.cohorts import Case, Cohort
from medsearch.data.geometry import Box, Triple, bounding_box, presence
from medsearch.data.resampling import Image, image_on_grid, mask_on_grid
from medsearch.data.tasks import CrossModalityTask
from medsearch.data.volumes import read_volume

VERSION = 1
"""Raised whenever equal files would give other arrays; part of the folder's name and of every data fingerprint."""

SPREAD = 5.0  # standard deviations that fit into [-1, 1] (thesis section 5.4.2)
CASES = "cases.json"
MASK = "mask.npy"


def prepared_directory(folder: Path, fingerprint: str, task: CrossModalityTask) -> Path:
    """Where the arrays of a cohort for a task lie: by content, voxel size and normalisation."""
    return folder / f"prepared-{fingerprint}-{task.geometry.spacing:g}mm-{task.normalisation}-v{VERSION}"


def prepare(cohort: Cohort, fingerprint: str, *, task: CrossModalityTask, folder: Path) -> "PreparedCohort":
    """Make the arrays unless they are there. Processes that ask at once wait for the first; a kill leaves no half.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    directory = prepared_directory(folder, fingerprint, task)
    if not (directory / CASES).exists():
        with locked(folder / f".{directory.name}.lock"):
            if not (directory / CASES).exists():
                aside = folder / f".{directory.name}"
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir(parents=True)
                _write(cohort, task, aside)
                aside.rename(directory)
                sync_directory(folder)
    return PreparedCohort(directory)


@dataclass(frozen=True)
class PreparedCohort:
    """Prepared arrays, opened on first use and shared between processes; what travels between them is the path."""

    directory: Path

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self.directory}

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """The content of cases.json."""
        record: dict[str, Any] = read_json(self.directory / CASES)
        return record

    @property
    def shape(self) -> Triple:
        """(Z, Y, X) of every volume."""
        deep, high, wide = self.record["shape"]
        return deep, high, wide

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along z, y and x, mm."""
        return (self.record["spacing"],) * 3

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in the order of the arrays' first axis."""
        return tuple(case["subject"] for case in self.record["cases"])

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Each case's brain box over all its contrasts."""
        return tuple(_as_box(case["box"]) for case in self.record["cases"])

    @cached_property
    def presence(self) -> NDArray[np.bool_]:
        """(cases, 2): tumour anywhere left and right of the midline."""
        return np.array([case["presence"] for case in self.record["cases"]], dtype=bool).reshape(-1, 2)

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """(cases, Z, Y, X) of 0 and 1."""
        mask: NDArray[np.uint8] = np.load(self.directory / MASK, mmap_mode="r")
        return mask

    @cached_property
    def _images(self) -> dict[str, NDArray[np.float16]]:
        return {}

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {subject: index for index, subject in enumerate(self.subjects)}

    def image(self, contrast: str) -> NDArray[np.float16]:
        """(cases, Z, Y, X) in [-1, 1].

        Raises:
            BadInput: the cohort has no such contrast.

        """
        if contrast not in self._images:
            path = self.directory / f"image-{contrast}.npy"
            if not path.exists():
                msg = f"no contrast {contrast!r} in the cohort; it has {', '.join(self.record['contrasts'])}"
                raise BadInput(msg)
            self._images[contrast] = np.load(path, mmap_mode="r")
        return self._images[contrast]

    def index(self, subject: str) -> int:
        """The place of a subject along the arrays' first axis.

        Raises:
            BadInput: the cohort has no such subject.

        """
        if subject not in self._indices:
            msg = f"no subject {subject!r} in {self.directory.name}; prepare the cohort that has it"
            raise BadInput(msg)
        return self._indices[subject]

    def case(self, subject: str) -> Mapping[str, Any]:
        """What was measured of a subject: box, presence, annotated, and per contrast the mean and SD."""
        case: dict[str, Any] = self.record["cases"][self.index(subject)]
        return case


def _as_box(sides: list[list[int]]) -> Box:
    (z0, z1), (y0, y1), (x0, x1) = sides
    return (z0, z1), (y0, y1), (x0, x1)


def _write(cohort: Cohort, task: CrossModalityTask, aside: Path) -> None:
    spacing = task.geometry.spacing
    shape = _grid(cohort, spacing)
    arrays = _new_arrays(cohort, shape, aside)

    def one(numbered: tuple[int, Case]) -> dict[str, Any]:
        index, case = numbered
        images, mask = _read(case, shape, spacing)
        statistics = _statistics(case, images, joint=task.normalisation == "joint")
        for contrast, image in images.items():
            arrays[contrast][index] = _normalised(image, *statistics[contrast])
        arrays[MASK][index] = mask
        brain = np.logical_or.reduce([image.brain for image in images.values()])
        return {
            "subject": case.subject,
            "box": bounding_box(brain),
            "presence": presence(mask),
            "annotated": case.mask is not None,
            "statistics": statistics,
        }

    # Threads suffice: gunzip and NumPy let go of the interpreter, and nothing is copied between processes.
    with ThreadPoolExecutor(_cores()) as pool:
        cases = list(pool.map(one, enumerate(cohort.cases)))
    for array in arrays.values():
        array.flush()
    record = {"contrasts": cohort.contrasts, "shape": shape, "spacing": spacing, "cases": cases}
    write_json(aside / CASES, {**record, "voxel_volume": spacing**3, "normalisation": task.normalisation})


def _grid(cohort: Cohort, spacing: float) -> Triple:
    if not cohort.cases:
        msg = f"cohort {cohort.name} in {cohort.root} has no usable case; run `medsearch check` on it"
        raise BadInput(msg)
    deep, high, wide = image_on_grid(read_volume(next(iter(cohort.cases[0].images.values()))), spacing).values.shape
    return deep, high, wide


def _new_arrays(cohort: Cohort, shape: Triple, aside: Path) -> dict[str, np.memmap[Any, Any]]:
    """One empty array per contrast, by its name, and the mask's; a case without a contrast stays 0 there."""
    whole = (len(cohort.cases), *shape)

    def new(name: str, dtype: type[np.generic]) -> np.memmap[Any, Any]:
        return np.lib.format.open_memmap(aside / name, mode="w+", dtype=dtype, shape=whole)

    images = {contrast: new(f"image-{contrast}.npy", np.float16) for contrast in cohort.contrasts}
    return {**images, MASK: new(MASK, np.uint8)}


def _read(case: Case, shape: Triple, spacing: float) -> tuple[dict[str, Image], NDArray[np.uint8]]:
    images = {contrast: image_on_grid(read_volume(path), spacing) for contrast, path in case.images.items()}
    mask = np.zeros(shape, np.uint8) if case.mask is None else mask_on_grid(read_volume(case.mask), spacing)
    grids = {case.images[contrast]: image.values.shape for contrast, image in images.items()}
    if case.mask is not None:
        grids[case.mask] = mask.shape
    for path, grid in grids.items():
        if grid != shape:
            msg = f"case {case.subject}: {path} has (z, y, x) grid {grid}, the cohort {shape}; resample or exclude it"
            raise BadInput(msg)
    return images, mask


def _statistics(case: Case, images: Mapping[str, Image], *, joint: bool) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over brain voxels, per contrast or over all together (the released code)."""
    brains = {contrast: image.values[image.brain].astype(np.float64) for contrast, image in images.items()}
    if joint:
        together = np.concatenate(list(brains.values()))
        brains = dict.fromkeys(brains, together)
    statistics = {}
    for contrast, values in brains.items():
        if values.size == 0 or not values.std() > 0:
            msg = f"case {case.subject}: {case.images[contrast]} is constant over the brain; export it again or exclude"
            raise BadInput(msg)
        statistics[contrast] = (float(values.mean()), float(values.std()))
    return statistics


def _normalised(image: Image, mean: float, sd: float) -> NDArray[np.float16]:
    scaled = np.clip((image.values - mean) / (SPREAD * sd), -1, 1)
    return np.where(image.brain, scaled, 0).astype(np.float16)


def _cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
