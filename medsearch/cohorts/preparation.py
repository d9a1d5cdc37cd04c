"""From a cohort's files to arrays that every stage run on a machine maps: made once, found again by content.

A folder's name holds the cohort's fingerprint, the sizes, the rules and the version (`folder_name` of the task);
`cohorts.prepared` tells what lies in it. Every file is read once more after its inspection, of cases that are
registered first twice.

Volumes are brought onto one grid. Images that come as they were acquired (section 5.5.1) are registered to one of them,
the atlas, and a block of its head is cut out. The grid's x runs to the left from the atlas's own mid-sagittal plane, so
that its halves are the hemispheres; y runs to the back, z up. The plane is found by registering the atlas to its mirror
image. From front to back and up and down the block is centred on where the annotated source tumours lie once they are
registered (the paper chose its block by eye), or on the atlas's field of view where none is annotated.
"""

import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.atomic_folder import CASES, made_once
from medsearch.cohorts.cohort import Case, Cohort
from medsearch.cohorts.layouts import TumourLayout, tumour_layout
from medsearch.cohorts.prepared import Prepared, PreparedStacks, PreparedVolumes
from medsearch.cohorts.tasks import CrossModalityTask, SynthesisTask, Task
from medsearch.core.errors import BadInput, printable
from medsearch.core.machine import concurrently, cores
from medsearch.core.records import append_line, lacks, read_lines, write_json
from medsearch.imaging.abdomen import abdominal_region, body_mask
from medsearch.imaging.geometry import Geometry, Shape, Spacing, bounding_box, presence
from medsearch.imaging.image_files import Matrix, Volume
from medsearch.imaging.registration import REGISTRATION_VERSION, Atlas, Fit, RegistrationFailed
from medsearch.imaging.resampling import MAJORITY, Image, area_weights, averaged, finite, image_on_grid, mask_on_grid
from medsearch.imaging.volumes import read_volume

LOG = logging.getLogger(__name__)

SPREAD = 5.0  # standard deviations that fit into [-1, 1] (thesis section 5.5.1)
STORED = (-32768, 32767)
"""HU beyond which no scanner measures, and int16 ends."""
AIR = -1024
"""HU of air, which is laid beside an image that is not square. What is stored below is padding, or noise in air, which
windows cut off anyway."""
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
_BLUR = 0.425  # standard deviation of a Gaussian as wide as a box, in box widths


def prepare(cohort: Cohort, fingerprint: str, *, task: Task, folder: Path) -> Prepared:
    """Make the arrays unless they are there. Processes that ask at once wait for the first; a kill leaves no half.

    Raises:
        BadInput: a file cannot be used; the message names it.

    """
    directory = folder / task.folder_name(fingerprint)

    def write(aside: Path) -> None:
        if not cohort.cases:
            msg = f"cohort {cohort.name} in {cohort.root} has no usable case; run `medsearch check` on it"
            raise BadInput(msg)
        if isinstance(task, SynthesisTask):
            _write_stacks(cohort, task, aside)
        else:
            _write_volumes(cohort, task, aside, memory=folder / f"laid-{fingerprint}.jsonl")

    made_once(directory, CASES, write)
    return task.arrays(directory)


class GridCase(NamedTuple):
    """A case on a common grid: its images by contrast, its mask (Z, Y, X), and what to record of how it came there.

    The mask is 0 everywhere where the case has none.
    """

    images: Mapping[str, Image]
    mask: NDArray[np.uint8]
    about: Mapping[str, Any]


class CommonGrid(NamedTuple):
    """A cohort's common grid: (Z, Y, X) of every volume, what is to be known of it, and what brings a case there.

    read: reads each of a case's files once; raises BadInput, which names the file, where one cannot be brought there.
    """

    shape: Shape
    record: Mapping[str, Any]
    read: Callable[[Case], GridCase]


def _write_volumes(cohort: Cohort, task: CrossModalityTask, aside: Path, *, memory: Path) -> None:
    layout, spacing = tumour_layout(cohort.layout), task.geometry.spacing
    if layout.atlas is None:
        grid = _first_grid(cohort, layout, spacing)
    else:
        grid = _atlas_grid(cohort, layout, task.geometry, memory=memory)
    shape = (len(cohort.cases), *grid.shape)
    needed, free = math.prod(shape) * (2 * len(cohort.contrasts) + 1), shutil.disk_usage(aside).free
    if needed > free:  # refused early: a mapped file on a full disk kills the process without a word
        msg = f"{aside.parent}: prepared arrays need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        raise BadInput(msg)
    files: dict[str, tuple[str, type[np.generic]]] = {PreparedVolumes.MASK: (PreparedVolumes.MASK, np.uint8)}
    files |= {contrast: (PreparedVolumes.image_file(contrast), np.float16) for contrast in cohort.contrasts}
    arrays = {  # a case without a contrast stays 0 there
        name: np.lib.format.open_memmap(aside / file, mode="w+", dtype=dtype, shape=shape)
        for name, (file, dtype) in files.items()
    }

    def stored(numbered: tuple[int, Case]) -> dict[str, Any]:
        index, case = numbered
        images, mask, about = grid.read(case)
        statistics = _statistics(case, images, joint=task.normalisation == "joint")
        for contrast, image in images.items():
            mean, sd = statistics[contrast]
            scaled = np.clip((image.values - mean) / (SPREAD * sd), -1, 1)
            arrays[contrast][index] = np.where(image.brain, scaled, 0).astype(np.float16)
        arrays[PreparedVolumes.MASK][index] = mask
        brain = np.logical_or.reduce([image.brain for image in images.values()])
        return {
            "subject": case.subject,
            "box": bounding_box(brain),
            "presence": presence(mask),
            "annotated": case.mask is not None,
            "part": case.subset,
            "weak_label": case.presence,
            "patient": case.patient,
            "statistics": statistics,
            **about,
        }

    # Threads suffice: gunzip and NumPy let go of the interpreter, and nothing is copied between processes.
    with ThreadPoolExecutor(cores()) as pool:
        cases = list(pool.map(stored, enumerate(cohort.cases)))
    for array in arrays.values():
        array.flush()
    record = {"contrasts": cohort.contrasts, "shape": grid.shape, "spacing": spacing, "cases": cases, **grid.record}
    write_json(aside / CASES, {**record, "voxel_volume": math.prod(spacing), "normalisation": task.normalisation})


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


def _first_grid(cohort: Cohort, layout: TumourLayout, spacing: Spacing) -> CommonGrid:
    """The grid of the first case, on which all files lie already, up to their orientation and voxel size."""
    first = next(iter(cohort.cases[0].images.values()))
    image = image_on_grid(read_volume(first), spacing)
    deep, high, wide = shape = image.values.shape
    already = {first: image}  # until its case is read

    def read(case: Case) -> GridCase:
        images = {
            contrast: already.pop(path) if path in already else image_on_grid(read_volume(path), spacing)
            for contrast, path in case.images.items()
        }
        mask = np.zeros(shape, np.uint8)
        grids = {case.images[contrast]: image.values.shape for contrast, image in images.items()}
        if case.mask is not None:
            mask = mask_on_grid(read_volume(case.mask), spacing, layout.tumour)
            grids[case.mask] = mask.shape
        for path, grid in grids.items():
            if grid != shape:
                where = f"case {case.subject}: {path} has (z, y, x) grid {grid}"
                msg = f"{where}, the cohort {shape}; resample or exclude it"
                raise BadInput(msg)
        return GridCase(images, mask, {})

    return CommonGrid((deep, high, wide), {}, read)


def _atlas_grid(cohort: Cohort, layout: TumourLayout, geometry: Geometry, *, memory: Path) -> CommonGrid:
    """A block of the atlas's head, to which every case is registered (section 5.5.1).

    The atlas is the first target case by name: a high-resolution image, and the same one whenever the cohort is the
    same. memory: a file of JSON lines that remembers how the cases of this very cohort lie.

    Raises:
        BadInput: no case has the atlas's contrast; cases cannot be registered, all of whom are named, and why the first
            cannot.

    """
    candidates = [case for case in cohort.cases if layout.atlas in case.images]
    named = min(candidates, key=lambda case: (case.subset != "target", case.subject), default=None)
    if named is None:
        msg = f"cohort {cohort.name} in {cohort.root} has no {layout.atlas} image to serve as an atlas; add one"
        raise BadInput(msg)
    contrast = str(layout.atlas)
    atlas = Atlas(read_volume(named.images[contrast]))
    fits = _registered(cohort, named.subject, contrast, atlas=atlas, memory=memory)
    centroids = []
    for case in cohort.cases:
        if case.subset == "source" and case.mask is not None:
            volume = read_volume(case.mask)
            voxels = np.argwhere(np.isin(np.rint(volume.array), layout.tumour))
            if len(voxels):
                to_atlas = np.linalg.inv(fits[case.subject].matrix) @ volume.affine
                centroids.append(_moved(to_atlas, voxels.mean(axis=0)))
    shape = (geometry.depth[1], geometry.slice_size, geometry.slice_size)
    affine = _block(named.subject, atlas, geometry, shape=shape, tumours=centroids)

    def read(case: Case) -> GridCase:
        """Nothing is skull-stripped, so `brain` is all that was scanned; what an image does not cover is 0."""
        fit = fits[case.subject]
        volumes = {contrast: read_volume(path) for contrast, path in case.images.items()}
        images = {}
        for contrast, volume in volumes.items():
            steps = np.linalg.inv(volume.affine) @ fit.matrix @ affine
            values = _resampled(volume.array.astype(np.float32), steps, shape)
            covered = _resampled(np.ones(volume.array.shape, np.float32), steps, shape) >= MAJORITY
            images[contrast] = Image(np.where(covered, values, 0), covered & (values != 0))
        mask = np.zeros(shape, np.uint8)
        if case.mask is not None:
            volume = read_volume(case.mask)
            tumour = np.isin(np.rint(volume.array), layout.tumour).astype(np.float32)
            share = _resampled(tumour, np.linalg.inv(volume.affine) @ fit.matrix @ affine, shape)
            mask = (share >= MAJORITY).astype(np.uint8)
        own = next(iter(volumes.values()))  # its grid is kept, to write predictions there
        native = {"shape": list(own.array.shape), "affine": own.affine.tolist()}
        about = {"laid": fit.matrix.tolist(), "likeness": fit.likeness, "overlap": fit.overlap, "native": native}
        return GridCase(images, mask, about)

    return CommonGrid(shape, {"atlas": named.subject, "affine": affine.tolist()}, read)


def _registered(cohort: Cohort, subject: str, contrast: str, *, atlas: Atlas, memory: Path) -> dict[str, Fit]:
    """How every case lies on the atlas, `contrast` of `subject`; what `memory` holds is not sought again."""
    lines = read_lines(memory, fault=_line_fault)
    known = {line["subject"]: line for line in lines if line["version"] == REGISTRATION_VERSION}
    writing, failed = Lock(), dict[str, str]()

    def fitted(case: Case) -> Fit | None:
        if case.subject in known:
            line = known[case.subject]
            return Fit(np.array(line["matrix"]), line["likeness"], line["overlap"])
        seen = contrast if contrast in case.images else next(iter(case.images))
        try:
            if case.subject == subject:
                fit = Fit(np.eye(4), 1.0, 1.0)
            else:
                image = read_volume(case.images[seen])
                fit = atlas.register(image, "correlation" if seen == contrast else "information")
        except RegistrationFailed as error:
            failed[case.subject] = str(error)
            return None
        found = {"matrix": fit.matrix.tolist(), "likeness": fit.likeness, "overlap": fit.overlap}
        with writing:
            append_line(memory, {"version": REGISTRATION_VERSION, "subject": case.subject, **found})
        return fit

    with ThreadPoolExecutor(cores()) as pool:
        fits = zip(cohort.subjects, pool.map(fitted, cohort.cases), strict=True)
        registered = {name: fit for name, fit in fits if fit is not None}
    if failed:
        names = [name for name in cohort.subjects if name in failed]
        msg = (
            f"{', '.join(names)} cannot be laid on the atlas ({subject}), {names[0]} because "
            f"{failed[names[0]]}; mend the orientation and spacing in its header, or take the case out"
        )
        raise BadInput(msg)
    return registered


def _line_fault(line: Mapping[str, Any]) -> str:
    number = (int, float)
    if problem := lacks(line, {"version": int, "subject": str, "matrix": list}):
        return problem
    if problem := lacks(line, {"likeness": number, "overlap": number}):
        return problem
    rows = line["matrix"]
    whole = [len(row) for row in rows if isinstance(row, list) and all(type(value) in number for value in row)]
    return "" if whole == [4] * 4 else "has no matrix of 4 x 4 numbers"


def _block(subject: str, atlas: Atlas, geometry: Geometry, *, shape: Shape, tumours: Sequence[Matrix]) -> Matrix:
    """From voxels (x, y, z) of the block of `shape` (z, y, x) to the atlas's mm.

    Its centre is the mean of `tumours` (points in the atlas's mm), moved onto the mid-sagittal plane: that about which
    the head is its own mirror image.
    """
    volume = atlas.volume
    mirrored = Volume(volume.array, _MIRROR @ volume.affine, volume.path)
    try:
        reflection = _MIRROR @ atlas.register(mirrored, "correlation").matrix
    except RegistrationFailed as error:
        where = f"case {subject}: {volume.path} cannot be laid on its mirror image"
        msg = f"{where}: {error}; look at it, or exclude it"
        raise BadInput(msg) from error
    values, vectors = np.linalg.eig(reflection[:3, :3])
    left = np.real(vectors[:, np.argmin(np.abs(values + 1))])
    left = left / np.linalg.norm(left) * -np.sign(left[0])
    middle = _moved(volume.affine, (np.array(volume.array.shape) - 1) / 2)
    middle = (middle + _moved(reflection, middle)) / 2
    up = np.array([0.0, 0.0, 1.0])
    up = up - left * (up @ left)
    up = up / np.linalg.norm(up)
    centre = np.mean(tumours, axis=0) if len(tumours) else middle
    centre = centre - left * ((centre - middle) @ left)
    z, y, x = geometry.spacing
    affine = np.eye(4)
    affine[:3, :3] = np.stack([left * x, np.cross(up, left) * y, up * z], axis=1)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    return affine


def _moved(affine: Matrix, point: Any) -> Matrix:
    moved: Matrix = affine[:3, :3] @ np.asarray(point, dtype=np.float64) + affine[:3, 3]
    return moved


def _resampled(values: NDArray[np.float32], steps: Matrix, shape: Shape) -> NDArray[np.float32]:
    """(x, y, z) of a file averaged to the voxels of `shape` (z, y, x), of which `steps` leads to the file's voxels."""
    from scipy.ndimage import affine_transform, gaussian_filter

    wider = np.linalg.norm(steps[:3, :3], axis=1)  # voxels of the file along each of its axes, per new voxel
    blurred = gaussian_filter(values, _BLUR * np.sqrt(np.maximum(wider**2 - 1, 0)), mode="nearest")
    resampled = affine_transform(blurred, steps[:3, :3], steps[:3, 3], output_shape=shape[::-1], order=1, cval=0.0)
    return np.ascontiguousarray(resampled.T, dtype=np.float32)


def _write_stacks(cohort: Cohort, task: SynthesisTask, aside: Path) -> None:
    def stored(numbered: tuple[int, Case]) -> dict[str, Any]:
        number, case = numbered
        stacks = {}
        for contrast, path in case.images.items():
            stacks[contrast], arrays = _stack(read_volume(path), task)
            for name, array in zip(PreparedStacks.files(contrast, number), arrays, strict=True):
                try:
                    np.save(aside / name, array)
                except OSError as error:
                    msg = f"{aside}: a prepared stack cannot be written ({error.strerror}); make room"
                    raise BadInput(msg) from error
        return {"subject": case.subject, "part": case.subset, "stacks": stacks}

    cases = list(concurrently(stored, enumerate(cohort.cases)))
    write_json(aside / CASES, {"contrasts": cohort.contrasts, "slice_size": task.geometry.slice_size, "cases": cases})


def _stack(volume: Volume, task: SynthesisTask) -> tuple[dict[str, Any], tuple[NDArray[Any], NDArray[Any]]]:
    """What is recorded of a volume's stack, its slices (int16), and their bodies (uint8).

    Body and abdomen are found before slices are resized: little gas is left in large pixels.
    """
    hu, (deep, *edges) = axial(volume)
    body = body_mask(hu, (deep, edges[0], edges[1]), task.body)
    region, named = abdominal_region(hu, body, deep, task.region), printable(str(volume.path))
    if not region.lungs:  # a landmark that is not found leaves more of the image in the abdomen than belongs there
        LOG.warning("%s: no slice shows lungs, so its abdomen begins with the first one", named)
    if not region.bowel:
        LOG.warning("%s: no slice below the lungs shows gas in the bowel, so its abdomen ends with the last one", named)
    size = task.geometry.slice_size
    slices = np.clip(np.rint(resized(hu, size)), *STORED).astype(np.int16)
    bodies = (resized(body, size) >= MAJORITY).astype(np.uint8)
    spacing = (deep, *(edge * hu.shape[1] / size for edge in edges))
    where = {"region": [region.first, region.last], "found": region.found}
    return {"slices": len(hu), "spacing": spacing, **where}, (slices, bodies)


def axial(volume: Volume) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Axial slices (Z, Y, X), HU, superior first, as wide as high; and their spacing (z, y, x), mm.

    An image that is not square gets air beside it.

    Raises:
        BadInput: values that are not finite.

    """
    values, spacing = finite(volume)
    side = max(values.shape[1:])
    beside = [(0, 0), *((gap // 2, gap - gap // 2) for gap in (side - edge for edge in values.shape[1:]))]
    return np.pad(values[::-1], beside, constant_values=AIR), spacing


def resized(values: NDArray[np.float32] | NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """Square slices (Z, size, size), each pixel the mean over its area.

    Of HU, whatever is below air is padding (-2000, -3024 and -33792 are common) and counts as air: averaged as it is,
    it would darken the body that it touches.
    """
    weights = area_weights(values.shape[1], values.shape[1] / size, same=0.0)
    return averaged(np.maximum(values, AIR, dtype=np.float32), [None, weights, weights])
