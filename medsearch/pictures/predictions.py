"""What segmentation methods show of their test cases: predictions over true masks, and tumours taken off."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from medsearch.imaging.geometry import Geometry
from medsearch.metrics.scoring import Row, TestCase
from medsearch.pictures.panels import Panel, Plane
from medsearch.pictures.sections import Half, fullest, grey, half, limits, window
from medsearch.pictures.tiles import Gallery, Tile


def prediction_tiles(cases: Sequence[TestCase], scores: Mapping[str, str]) -> Iterator[Tile]:
    """True and predicted outlines over the image (Fig. 5.10)."""
    at = window([case.box for case in cases]) if cases else (slice(None), slice(None))
    for case in cases:
        z, of = fullest(case.prediction if case.truth is None else case.truth), limits(case.image)
        image, found = case.image[z][at], case.prediction[z][at]
        truth = np.zeros_like(found) if case.truth is None else case.truth[z][at]
        yield Tile(subject=case.subject, what="image", panel=grey(image, of))
        if case.truth is not None:
            yield Tile(subject=case.subject, what="truth", panel=grey(image, of, truth))
        panel = grey(image, of, truth, found)
        yield Tile(subject=case.subject, what="prediction", panel=panel, note=scores.get(case.subject, ""))


def residual_tiles(
    cases: Sequence[TestCase], geometry: Geometry, made_healthy: Callable[[Half], tuple[Plane, ...]]
) -> Iterator[Tile]:
    """X_P, X_PA and Δ_PP of a slice, and its segmentation, of the half with the most tumour (Figs. 4.2b and 5.6)."""
    for case in cases:
        crop, of = half(case, geometry), limits(case.image)
        x_p, x_pa, delta = made_healthy(crop)
        truth, found = crop.truth[crop.z], crop.prediction[crop.z]
        panels = {
            "presence": grey(x_p, of),
            "absence": Panel(image=x_pa, brain=x_p != 0, limits=of),
            "residual": Panel(image=delta, brain=x_p != 0, outlines=(truth,)),
            "segmentation": grey(x_p, of, truth, found),
        }
        yield from (Tile(subject=case.subject, what=what, panel=panel) for what, panel in panels.items())


def add_predictions(gallery: Gallery, cases: Sequence[TestCase], rows: Sequence[Row]) -> None:
    """Predictions of cases under their names and scores."""
    scores = {str(row["subject"]): row["dice"] for row in rows}
    notes = {name: "nothing scored" if score is None else f"Dice {score:.2f}" for name, score in scores.items()}
    titles = [f"{case.subject}\n{notes.get(case.subject, 'no mask')}" for case in cases]
    gallery.add("predictions", list(prediction_tiles(cases, notes)), titles=titles)


def alike(cases: Sequence[TestCase]) -> list[TestCase]:
    """The cases that have masks; if none has, those that have none: a picture's columns hold the same images."""
    return [case for case in cases if case.truth is not None] or list(cases)
