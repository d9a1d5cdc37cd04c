"""What a reader wants to see of a trained model: predictions over masks, tumours removed, translations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from medsearch.data.geometry import halves
from medsearch.methods.modatts.generative import generate
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.synthesis import translate_volume
from medsearch.stages.context import StageContext

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from medsearch.methods.modatts.evaluation import TestCase
    from medsearch.methods.modatts.translation import Translator

COLUMNS = 4
"""Cases per picture."""
TRUE, PREDICTED = "#35b779", "#fde725"


class Pictures:
    """Writes PNGs into the stage's `pictures` folder."""

    def __init__(self, context: StageContext, segmentor: Segmentor) -> None:
        self.context, self.segmentor = context, segmentor
        self.folder = context.directory / "pictures"
        self.folder.mkdir(exist_ok=True)

    def predictions(self, cases: Sequence["TestCase"]) -> None:
        """True and predicted outlines over the target image, in the slice with the most tumour."""
        rows = []
        for case in cases[:COLUMNS]:
            z = _fullest(case.truth)
            rows.append([(case.image[z], None), (case.image[z], (case.truth[z], case.prediction[z]))])
        self._grid("predictions", ("target", "true and predicted"), rows, [case.subject for case in cases])

    @torch.no_grad()
    def residuals(self, cases: Sequence["TestCase"]) -> None:
        """X_P, X_PA and Δ_PP of diseased halves (Eqs. 5.6-5.8)."""
        rows, names, device = [], [], self.context.runtime.device
        for case in cases[:COLUMNS]:
            side = int(np.argmax([case.truth[..., : case.truth.shape[2] // 2].sum(), case.truth.sum() / 2]))
            crop = halves(case.image, self.context.task.geometry, case.box)[side]
            z = _fullest(halves(case.truth, self.context.task.geometry, case.box)[side])
            x_p = torch.from_numpy(crop)[None, None].to(device)
            codes = self.segmentor.encoder(x_p)
            made, _ = generate(self.segmentor, x_p=x_p, x_a=x_p[:0], codes=codes, u=None)
            rows.append([(image[0, 0, z].cpu().numpy(), None) for image in (made.x_p, made.x_pa, made.delta_pp)])
            names.append(case.subject)
        self._grid("residuals", ("diseased", "made healthy", "residual"), rows, names)

    def translations(self, cases: Sequence["TestCase"], translator: "Translator") -> None:
        """A test subject's source slice, its translation, and the real target slice."""
        rows = []
        for case in cases[:COLUMNS]:
            source = np.asarray(self.context.task.image("source", "test", case.subject), dtype=np.float32)
            translated = translate_volume(translator, source, self.context)
            z = _fullest(case.truth)
            rows.append([(volume[z], None) for volume in (source, translated, case.image)])
        self._grid("translations", ("source", "translated", "target"), rows, [case.subject for case in cases])

    def _grid(self, name: str, columns: Sequence[str], rows: list[list[tuple]], subjects: Sequence[str]) -> None:
        """One line of images per kind, one column per case."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2.0 * len(rows), 2.1 * len(columns)), layout="constrained")
        axes = figure.subplots(len(columns), len(rows), squeeze=False)
        for column, (row, subject) in enumerate(zip(rows, subjects, strict=False)):
            for line, (image, outlines) in enumerate(row):
                _draw(axes[line][column], image, outlines)
            axes[0][column].set_title(subject, fontsize=7)
        for line, label in enumerate(columns):
            axes[line][0].set_ylabel(label, fontsize=8)
        figure.savefig(self.folder / f"{name}.png", dpi=120)


def _fullest(mask: np.ndarray) -> int:
    """The axial slice with the most tumour."""
    return int(mask.reshape(len(mask), -1).sum(1).argmax())


def _draw(axes: "Axes", image: np.ndarray, outlines: tuple[np.ndarray, np.ndarray] | None) -> None:
    axes.imshow(image[::-1], cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    for mask, colour in zip(outlines or (), (TRUE, PREDICTED), strict=False):
        if mask.any():
            axes.contour(mask[::-1], levels=[0.5], colors=colour, linewidths=1.0)
    axes.set_xticks([])
    axes.set_yticks([])
