"""Predictions over true masks: what every segmentation method shows of its test cases."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from medsearch.metrics.scoring import TestCase
from medsearch.pictures.sections import grey, limits, shown_slice, window
from medsearch.pictures.tiles import Tile


def prediction_tiles(cases: Sequence[TestCase], scores: Mapping[str, str]) -> Iterator[Tile]:
    """True and predicted outlines over the target image (Fig. 5.10)."""
    at = window([case.box for case in cases]) if cases else (slice(None), slice(None))
    for case in cases:
        z, of = shown_slice(case), limits(case.image)
        image, found = case.image[z][at], case.prediction[z][at]
        truth = np.zeros_like(found) if case.truth is None else case.truth[z][at]
        yield Tile(subject=case.subject, what="image", panel=grey(image, of))
        if case.truth is not None:
            yield Tile(subject=case.subject, what="truth", panel=grey(image, of, truth))
        panel = grey(image, of, truth, found)
        yield Tile(subject=case.subject, what="prediction", panel=panel, note=scores.get(case.subject, ""))


def alike(cases: Sequence[TestCase]) -> list[TestCase]:
    """The cases that have masks; if none has, those that have none: a picture's columns hold the same images."""
    return [case for case in cases if case.truth is not None] or list(cases)
