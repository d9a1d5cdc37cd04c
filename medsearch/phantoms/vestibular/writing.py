"""Writing a phantom cohort as a folder of CrossMoDA 2021 or 2022.

    training_source/<CASE>_{ceT1,Label}.nii.gz
    training_target/<CASE>_hrT2.nii.gz
    validation/<CASE>_{hrT2,Label}.nii.gz
    infos_source_training.csv (crossmoda_name, center, group), weak_labels.csv (case, side), phantom.json

As in the challenge's files, most of Tilburg's labels are not quite whole numbers, and some labels lie on an affine that
is not quite the image's. Unlike the challenge, the validation cases have labels, so that they can be scored.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.core.seeds import generator
from medsearch.core.spreadsheets import csv_text
from medsearch.data.concurrency import concurrently
from medsearch.data.volumes import write_volume
from medsearch.phantoms.spec import PhantomSpec
from medsearch.phantoms.vestibular.centres import TILBURG
from medsearch.phantoms.vestibular.spec import CrossModa2022Spec, Part
from medsearch.phantoms.vestibular.subjects import VestibularSubject, template_number, vestibular_subject
from medsearch.phantoms.writing import written

FOLDERS: dict[Part, str] = {"source": "training_source", "target": "training_target", "test": "validation"}
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
    numbers = sorted(range(spec.cases), key=lambda number: (template_number(spec, number), number))
    sides = {numbers[0]: _write_subject(spec, numbers[0], folder)}  # alone: the template is made once
    rest = concurrently(lambda number: _write_subject(spec, number, folder), numbers[1:])
    sides.update(zip(numbers[1:], rest, strict=True))
    source, target = ([n for n in range(spec.cases) if spec.part(n) == part] for part in ("source", "target"))
    infos = [[spec.name(n), spec.centre(n).name, FOLDERS["source"]] for n in source]
    tables = {
        "infos_source_training.csv": [["crossmoda_name", "center", "group"], *infos],
        "weak_labels.csv": [["case", "side"], *([spec.name(n), sides[n]] for n in target)],
    }
    for name, lines in tables.items():
        (folder / name).write_bytes(csv_text(lines).encode())


def _write_subject(spec: CrossModa2022Spec, number: int, folder: Path) -> str:
    """Write one subject's files; returns the side of its tumour."""
    subject, part = vestibular_subject(spec, number), spec.part(number)
    beginning = folder / FOLDERS[part] / spec.name(number)
    image, labels = subject.scan()
    write_volume(beginning.with_name(f"{beginning.name}_{subject.contrast}.nii.gz"), image, subject.affine)
    if part != "target":
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
