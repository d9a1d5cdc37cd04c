"""What a reader wants to see of a trained model: predictions over masks, tumours removed, translations.

Axial slices as a radiologist sees them: front up, the patient's right on the left (arrays are in LPS order).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.data.geometry import halves
from medsearch.methods.modatts.generative import from_presence
from medsearch.methods.modatts.panels import Mask, Panel, Plane, draw
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.synthesis import translate_volume
from medsearch.stages.context import StageContext

if TYPE_CHECKING:
    from medsearch.methods.modatts.evaluation import TestCase
    from medsearch.methods.modatts.translator import Translator

COLUMNS = 4
"""Cases per picture."""
MARGIN = 2
"""Voxels around the brain."""


class Pictures:
    """Writes PNGs into the stage's `pictures` folder: one column per case, one line per kind of image.

    Every case that is pictured has a tumour.
    """

    def __init__(self, context: StageContext, segmentor: Segmentor) -> None:
        self.context, self.segmentor = context, segmentor
        self.folder = context.directory / "pictures"
        self.folder.mkdir(exist_ok=True)

    def predictions(self, cases: Sequence["TestCase"], scores: Mapping[str, str]) -> None:
        """True and predicted outlines over the target image, in the slice with the most tumour."""
        columns, window = [], _window(cases)
        for case in cases:
            z = _fullest(case.truth)
            image, truth, found = (volume[z][window] for volume in (case.image, case.truth, case.prediction))
            brain, limits = image != 0, _limits(case.image)
            plain = Panel(image=image, brain=brain, limits=limits)
            columns.append([plain, Panel(image=image, brain=brain, limits=limits, outlines=(truth, found))])
        titles = [f"{case.subject}\n{scores[case.subject]}" for case in cases]
        draw(self.folder / "predictions.png", columns, lines=("target", "tumour"), titles=titles)

    @torch.no_grad()
    def residuals(self, cases: Sequence["TestCase"]) -> None:
        """X_P, X_PA and Δ_PP of the half with the most tumour (Eqs. 5.6-5.8)."""
        columns = []
        for case in cases:
            truths = halves(case.truth, self.context.task.geometry, case.box)
            side = int(truths.sum((1, 2, 3)).argmax())
            z, limits = _fullest(truths[side]), _limits(case.image)
            x_p, x_pa, delta = self._made_healthy(halves(case.image, self.context.task.geometry, case.box)[side], z)
            plain = [Panel(image=x, brain=x_p != 0, limits=limits) for x in (x_p, x_pa)]
            columns.append([*plain, Panel(image=delta, brain=x_p != 0, outlines=(truths[side][z],))])
        lines, titles = ("diseased", "made healthy", "residual"), [case.subject for case in cases]
        draw(self.folder / "residuals.png", columns, lines=lines, titles=titles)

    def translations(self, cases: Sequence["TestCase"], translator: "Translator") -> None:
        """A test subject's source slice, its translation, and the real target slice."""
        columns, window = [], _window(cases)
        for case in cases:
            source = self.context.task.image("source", "test", case.subject)
            translated = translate_volume(translator, source, self.context)
            z, target = _fullest(case.truth), _limits(case.image)
            columns.append(
                [
                    Panel(image=volume[z][window], brain=volume[z][window] != 0, limits=limits)
                    for volume, limits in ((source, _limits(source)), (translated, target), (case.image, target))
                ]
            )
        lines, titles = ("source", "translated", "target"), [case.subject for case in cases]
        draw(self.folder / "translations.png", columns, lines=lines, titles=titles)

    def _made_healthy(self, crop: NDArray[np.float32], z: int) -> tuple[Plane, ...]:
        """The slice `z` of X_P, X_PA and Δ_PP for a crop (z, y, x)."""
        flat = self.segmentor.dimensions == 2
        x_p = torch.from_numpy(crop[z] if flat else crop)[None, None].to(self.context.runtime.device)
        made = from_presence(self.segmentor, x_p, self.segmentor.encoder(x_p))
        images = (x[0, 0].cpu().numpy() for x in (made.x_p, made.x_pa, made.delta_pp))
        return tuple(image if flat else image[z] for image in images)


def _fullest(mask: Mask) -> int:
    """The axial slice with the most tumour."""
    return int(mask.reshape(len(mask), -1).sum(1).argmax())


def _limits(volume: Plane) -> tuple[float, float]:
    """The values that all but a hundredth of the brain lies between, on either side."""
    low, high = np.quantile(volume[volume != 0], (0.01, 0.99))
    return float(low), float(high)


def _window(cases: Sequence["TestCase"]) -> tuple[slice, slice]:
    """Rows and columns that hold every case's brain, so that all are drawn at one scale."""
    return _span([case.box[1] for case in cases]), _span([case.box[2] for case in cases])


def _span(sides: Sequence[tuple[int, int]]) -> slice:
    return slice(max(0, min(low for low, _ in sides) - MARGIN), max(high for _, high in sides) + MARGIN)
