"""What a reader wants to see of a trained model: predictions over masks, tumours removed, translations.

Axial slices as a radiologist sees them: front up, the patient's right on the left (arrays are in LPS order).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsearch.data.geometry import halves
from medsearch.methods.modatts.generative import from_presence
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.synthesis import translate_volume
from medsearch.stages.context import StageContext

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from medsearch.methods.modatts.evaluation import TestCase
    from medsearch.methods.modatts.translator import Translator

Plane = NDArray[np.floating[Any]]
Mask = NDArray[np.integer[Any] | np.bool_]

COLUMNS = 4
"""Cases per picture."""
OUTLINES = {"true": "#4cc9f0", "predicted": "#ffb000"}
MARGIN = 2
"""Voxels around the brain."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One image (y, x); black outside `brain`.

    `limits` are the values shown as black and white; without them 0 is the middle of a diverging scale.
    `outlines` are the true mask and the predicted one.
    """

    image: Plane
    brain: Mask
    limits: tuple[float, float] | None = None
    outlines: tuple[Mask, ...] = ()


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
        self._draw("predictions", ("target", "tumour"), columns, titles)

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
        names = [case.subject for case in cases]
        self._draw("residuals", ("diseased", "made healthy", "residual"), columns, names)

    def translations(self, cases: Sequence["TestCase"], translator: "Translator") -> None:
        """A test subject's source slice, its translation, and the real target slice."""
        columns, window = [], _window(cases)
        for case in cases:
            source = np.asarray(self.context.task.image("source", "test", case.subject), dtype=np.float32)
            translated = translate_volume(translator, source, self.context)
            z, target = _fullest(case.truth), _limits(case.image)
            columns.append(
                [
                    Panel(image=volume[z][window], brain=volume[z][window] != 0, limits=limits)
                    for volume, limits in ((source, _limits(source)), (translated, target), (case.image, target))
                ]
            )
        self._draw("translations", ("source", "translated", "target"), columns, [case.subject for case in cases])

    def _made_healthy(self, crop: NDArray[np.float32], z: int) -> tuple[Plane, ...]:
        """The slice `z` of X_P, X_PA and Δ_PP for a crop (z, y, x)."""
        flat = self.segmentor.dimensions == 2
        x_p = torch.from_numpy(crop[z] if flat else crop)[None, None].to(self.context.runtime.device)
        made = from_presence(self.segmentor, x_p, self.segmentor.encoder(x_p))
        images = (x[0, 0].cpu().numpy() for x in (made.x_p, made.x_pa, made.delta_pp))
        return tuple(image if flat else image[z] for image in images)

    def _draw(self, name: str, lines: Sequence[str], columns: Sequence[Sequence[Panel]], titles: Sequence[str]) -> None:
        from matplotlib.figure import Figure

        height, width = columns[0][0].image.shape
        inch = max(2.1 / max(height, width), 1.05 / width)  # a column is as wide as its title
        size = (inch * width * len(columns) + 0.7, inch * height * len(lines) + 1.0)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(lines), len(columns), squeeze=False)
        reach = _reach([panel for panels in columns for panel in panels])
        for column, (panels, title) in enumerate(zip(columns, titles, strict=True)):
            drawn = [_draw(axes[line][column], panel, reach) for line, panel in enumerate(panels)]
            axes[0][column].set_title(title, fontsize=6)
        for line, label in enumerate(lines):
            axes[line][0].set_ylabel(label, fontsize=8)
        if columns[-1][-1].limits is None:
            bar = figure.colorbar(drawn[-1], ax=list(axes[-1]), location="bottom", shrink=0.5, aspect=40, pad=0.02)
            bar.ax.tick_params(labelsize=6)
        _legend(figure, max(len(panel.outlines) for panels in columns for panel in panels))
        figure.savefig(self.folder / f"{name}.png", dpi=130)


def _draw(axes: "Axes", panel: Panel, reach: float) -> "AxesImage":
    from matplotlib import colormaps

    colours = colormaps["RdBu_r" if panel.limits is None else "gray"].with_extremes(bad="black")
    shown = np.ma.masked_where(~panel.brain.astype(bool), panel.image)
    low, high = panel.limits or (-reach, reach)
    image = axes.imshow(shown, cmap=colours, vmin=low, vmax=high, interpolation="nearest", origin="upper")
    for mask, colour in zip(panel.outlines, OUTLINES.values(), strict=False):
        if mask.any() and not mask.all():
            axes.contour(mask.astype(float), levels=[0.5], colors=colour, linewidths=1.2)
    axes.set_xticks([])
    axes.set_yticks([])
    return image


def _reach(panels: Sequence[Panel]) -> float:
    """The largest value of the diverging panels, which share one scale."""
    return max([0.05, *(float(np.abs(panel.image[panel.brain]).max()) for panel in panels if panel.limits is None)])


def _legend(figure: Any, outlines: int) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=label) for label, colour in list(OUTLINES.items())[:outlines]]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7, frameon=False)


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
