"""Subjects with a vestibular schwannoma, and a cohort of them as a folder of CrossMoDA 2021 or 2022.

    training_source/<CASE>_{ceT1,Label}.nii.gz
    training_target/<CASE>_hrT2.nii.gz
    validation/<CASE>_{hrT2,Label}.nii.gz
    infos_source_training.csv (crossmoda_name, center, group), weak_labels.csv (case, side), phantom.json

A subject is anatomy, ears and tumour, and the one image taken of it. As in the challenge's files, most of Tilburg's
labels are not quite whole numbers, and some labels lie on an affine that is not quite the image's. Unlike the
challenge, the validation cases have labels, so that they can be scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.cohort import Subset
from medsearch.core.errors import BadInput
from medsearch.core.seeds import generator
from medsearch.core.spreadsheets import csv_text
from medsearch.imaging.volumes import write_volume
from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array, Box, block_mean
from medsearch.phantoms.signals import Tissue, balanced, flash
from medsearch.phantoms.spec import PhantomSpec, each_subject, written
from medsearch.phantoms.templates import label_maps, mni152_head, whole_labelled_head
from medsearch.phantoms.tissues import GROWN, HEAD, HEAD_TISSUES, draw_tissues
from medsearch.phantoms.vestibular.ears import Ear, Schwannoma
from medsearch.phantoms.vestibular.spec import CONTRASTS, TILBURG, CrossModa2022Spec, posed

VS, COCHLEA = 1, 2
"""What the labels of the challenge mean."""

_COARSEST_MM = 2.8
"""Partial volumes are computed at this voxel size or the files' own, if finer."""
_LAYER_POINTS = 1_500_000
"""So many points are computed at a time: a head in the files' own size would not fit into memory at once."""
_BIAS_SIGMA_MM, _BIAS_SD = 50.0, (0.05, 0.12)
_SIGNAL_TO_NOISE = (18.0, 35.0)
_WHITE_MATTER_VALUE, _GAIN_SD = 250.0, 0.3
_FLIP_SD = 0.06


@dataclass(frozen=True, eq=False)
class VestibularSubject:
    """A subject: its ears (right, left), its tumour, the tissues' values, and where its voxels lie.

    `seed` and `number`: from which everything about it is drawn.
    """

    seed: int
    number: int
    anatomy: Anatomy
    ears: tuple[Ear, Ear]
    tumour: Schwannoma
    tissues: Mapping[str, Tissue]
    contrast: str
    box: Box
    affine: npt.NDArray[np.float64]

    def shares(self, first: int = 0, last: int | None = None) -> Array:
        """The share of each tissue of `HEAD` and `GROWN` in the slices `first` to `last`: (tissue, x, y, z)."""
        box = self.box.layers(first, self.box.shape[2] if last is None else last)
        factors = _factors(box)
        fine = box.finer(factors)
        normal = self.anatomy.on(fine, self.tumour.push)
        grown = self.tumour.grown(normal, fine)
        for ear in self.ears:
            hollow = np.maximum(ear.canal(fine), ear.labyrinth(fine))
            normal *= 1 - hollow
            normal[HEAD.index("fluid")] += hollow
        loose = self.tumour.loose(fine)
        return block_mean(np.concatenate([normal * (1 - grown), [grown * (1 - loose), grown * loose]]), factors)

    def scan(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """The image, skull, air and all, and the labels: 1 tumour, 2 cochleas; (x, y, z) each."""
        rng = generator(self.seed, "vestibular", self.number, self.contrast)
        signals = self.signals(flip=float(np.exp(_FLIP_SD * rng.standard_normal())))
        clean, labels = np.zeros(self.box.shape, np.float32), np.zeros(self.box.shape, np.uint8)
        thick = max(1, _LAYER_POINTS // int(np.prod(self.box.finer(_factors(self.box)).shape[:2])))
        for first in range(0, self.box.shape[2], thick):
            layer = slice(first, first + thick)
            shares = self.shares(first, first + thick)
            clean[..., layer] = np.einsum("t,txyz->xyz", signals, shares)
            tumour, box = shares[-len(GROWN) :].sum(axis=0), self.box.layers(first, first + thick)
            cochlea = np.maximum(*(ear.cochlea(box) for ear in self.ears))
            labels[..., layer] = np.where(tumour > 0.5, VS, np.where(cochlea > 0.5, COCHLEA, 0)).astype(np.uint8)
        return self._noisy(clean, float(signals[0]), rng), labels

    def signals(self, *, flip: float = 1.0) -> Array:
        """What each tissue of `HEAD` and `GROWN` looks like, without scale; `flip` scales the flip angle (B1)."""
        tissues = [self.tissues[name] for name in (*HEAD, *GROWN)]
        if self.contrast == "ceT1":
            return np.array([flash(tissue.enhanced(), flip=20 * flip) for tissue in tissues], np.float32)
        return np.array([balanced(tissue, flip=70 * flip) for tissue in tissues], np.float32)

    def _noisy(self, clean: Array, white: float, rng: np.random.Generator) -> npt.NDArray[np.int16]:
        bias = SmoothField.draw(rng, _BIAS_SIGMA_MM, rng.uniform(*_BIAS_SD)).on(self.box.axes)
        noise_sd = np.float32(white / rng.uniform(*_SIGNAL_TO_NOISE))
        gain = np.float32(_WHITE_MATTER_VALUE / white * np.exp(_GAIN_SD * rng.standard_normal()))
        real, imaginary = noise_sd * rng.standard_normal((2, *clean.shape), dtype=np.float32)
        noisy = np.hypot(clean * np.exp(bias) + real, imaginary)
        return np.asarray(np.clip((gain * noisy).round(), 0, 32767), dtype=np.int16)


def vestibular_subject(spec: CrossModa2022Spec, number: int) -> VestibularSubject:
    """Subject `number` (from 0): the same head and tumour at every spacing."""
    heads = [] if spec.anatomy is None else label_maps(Path(spec.anatomy))
    template = whole_labelled_head(heads[number % len(heads)]) if heads else mni152_head()
    anatomy = Anatomy.draw(template, generator(spec.seed, "vestibular", number, "anatomy"))
    anatomy = posed(anatomy, generator(spec.seed, "vestibular", number, "pose"))
    rng = generator(spec.seed, "vestibular", number, "tumour")
    ears = (Ear.draw(anatomy, 1, rng), Ear.draw(anatomy, -1, rng))
    tumour = Schwannoma.draw(anatomy, ears[int(rng.integers(2))], rng)
    tissues = draw_tissues(generator(spec.seed, "vestibular", number, "tissues"), HEAD_TISSUES)
    contrast, centre = CONTRASTS[spec.subset(number)], spec.centre(number)
    rng = generator(spec.seed, "vestibular", number, "box")
    box = centre.box(contrast, spec.spacing, rng)
    affine = centre.affine(box, rng)
    return VestibularSubject(spec.seed, number, anatomy, ears, tumour, tissues, contrast, box, affine)


def _factors(box: Box) -> tuple[int, int, int]:
    x, y, z = (int(np.ceil(abs(step) / _COARSEST_MM)) for step in box.steps)
    return x, y, z


FOLDERS: dict[Subset, str] = {"source": "training_source", "target": "training_target", "test": "validation"}
SIDES = {1: "right", -1: "left"}

_ODD_AFFINE, _ODD_VALUES = 0.25, 0.9
"""How often a label lies on another affine, and how often one of Tilburg's is no whole number."""
_AFFINE_OFF = 4.5e-4
"""By so much at most; a header keeps affines as float32, and 5e-4 is what is known of real ones."""
_NEARLY_ONE = np.float32(1 - 2**-23)


def write_crossmoda(spec: PhantomSpec, root: Path) -> Path:
    """Write the cohort of `spec` as the folder `root`, or find that it is there already; returns `root`.

    It appears complete or not at all, and `phantom.json` says that nobody is a patient.

    Raises:
        BadInput: `root` holds something else, `spec` is another phantom's, or its label maps cannot be used.
    """
    return written(_ours(spec), root, _write)


def _ours(spec: PhantomSpec) -> CrossModa2022Spec:
    if not isinstance(spec, CrossModa2022Spec):
        msg = f"{type(spec).__name__} specifies another phantom; take the one that belongs to a CrossMoDA layout"
        raise BadInput(msg)
    return spec


def _write(given: PhantomSpec, folder: Path) -> None:
    spec = _ours(given)
    for name in FOLDERS.values():
        (folder / name).mkdir()
    sides = each_subject(spec, lambda number: _write_subject(spec, number, folder))
    source, target = ([n for n in range(spec.cases) if spec.subset(n) == subset] for subset in ("source", "target"))
    infos = [[spec.name(n), spec.centre(n).name, FOLDERS["source"]] for n in source]
    tables = {
        "infos_source_training.csv": [["crossmoda_name", "center", "group"], *infos],
        "weak_labels.csv": [["case", "side"], *([spec.name(n), sides[n]] for n in target)],
    }
    for name, lines in tables.items():
        (folder / name).write_bytes(csv_text(lines).encode())


def _write_subject(spec: CrossModa2022Spec, number: int, folder: Path) -> str:
    """Write one subject's files; returns the side of its tumour."""
    subject, subset = vestibular_subject(spec, number), spec.subset(number)
    beginning = folder / FOLDERS[subset] / spec.name(number)
    image, labels = subject.scan()
    write_volume(beginning.with_name(f"{beginning.name}_{subject.contrast}.nii.gz"), image, subject.affine)
    if subset != "target":
        _write_labels(beginning.with_name(f"{beginning.name}_Label.nii.gz"), labels, subject, spec=spec)
    return SIDES[subject.tumour.ear.side]


def _write_labels(
    path: Path, labels: npt.NDArray[np.uint8], subject: VestibularSubject, *, spec: CrossModa2022Spec
) -> None:
    number = subject.number
    rng = generator(spec.seed, "vestibular", number, "labels")
    odd_affine, odd_values = rng.random(2) < (_ODD_AFFINE, _ODD_VALUES)
    affine = subject.affine.copy()
    if odd_affine:
        affine[:3] += rng.uniform(-_AFFINE_OFF, _AFFINE_OFF, (3, 4))
    if odd_values and spec.centre(number) is TILBURG:
        write_volume(path, labels * _NEARLY_ONE, affine)
    else:
        write_volume(path, labels, affine)
