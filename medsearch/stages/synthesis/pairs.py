"""Pairs: what is given, made into what is wanted, and held against it slice by slice.

Scores are over the abdomen of the given image, on the prepared grid, in the task's window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.data.views import Abdomen, SynthesisView
from medsearch.metrics import images
from medsearch.metrics.scoring import Row

Stack = NDArray[np.float32]
Synthesise = Callable[[Abdomen], Stack]
"""Slices of one contrast to (Z, Y, X) of the other, in [-1, 1]."""

MEANS = ("mse", "psnr", "psnr_volume", "ssim", "mae")
FORMS = {
    "mse": images.MSE_FORM,
    "psnr": images.PSNR_SLICES_FORM,
    "psnr_volume": images.PSNR_VOLUME_FORM,
    "ssim": images.SSIM_UNIFORM_FORM,
    "mae": images.MAE_HU_FORM,
    "slices": "Scored are the slices of the given image's abdomen, in the size that networks see",
}
SHOWN = 4
"""Pairs of which a test stage draws pictures."""


@dataclass(frozen=True)
class Pair:
    """One subject: what was given, what was made of it, (Z, Y, X) in [-1, 1], and what was wanted."""

    given: Abdomen
    made: Stack
    wanted: Abdomen


@dataclass
class PairScores:
    """Rows by case, and what they come to. given: those of the given images, as if nothing were made of them."""

    rows: list[Row] = field(default_factory=list)
    given: list[Row] = field(default_factory=list)

    def add(self, pair: Pair) -> None:
        """Score a pair."""
        self.rows.append(scored(pair.made, pair.wanted))
        self.given.append(scored(pair.given.images(), pair.wanted))

    def metrics(self, split: Literal["validation", "test"]) -> dict[str, float]:
        """Means over cases; a score that is defined nowhere is left out."""
        return {f"{split}/{name}": mean for name, mean in means(self.rows).items()}

    @property
    def notes(self) -> dict[str, object]:
        """Every case's scores, which forms these are, and what the given images come to."""
        return {"cases": self.rows, "forms": FORMS, "given": means(self.given)}


def scored(made: Stack, wanted: Abdomen) -> Row:
    """A case's images (Z, Y, X) in [-1, 1], held against those that are wanted."""
    truth = wanted.images()
    return {
        "subject": wanted.subject,
        "mse": images.mse(made, truth),
        "psnr": images.psnr_of_slices(made, truth),
        "psnr_volume": images.psnr_of_volume(made, truth),
        "ssim": images.ssim_uniform(made, truth),
        "mae": images.mae_hu(made, truth, window=wanted.window),
        "slices": len(truth),
        "identical_slices": images.identical_slices(made, truth),
    }


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Over cases; a score that is defined nowhere is left out."""
    known = {name: [float(row[name]) for row in rows if row[name] is not None] for name in MEANS}  # type: ignore[arg-type]
    return {name: fmean(values) for name, values in known.items() if values}


def made_pairs(synthesise: Synthesise, view: SynthesisView, split: Literal["validation", "test"]) -> Iterator[Pair]:
    """Every pair of a part with what is made of the given image, in the split's order."""
    for subject in view.pairs(split):
        given, wanted = view.pair(split, subject)
        yield Pair(given, synthesise(given), wanted)
