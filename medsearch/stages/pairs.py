"""The test on pairs: what is given, made into what is wanted, held against it slice by slice, and shown.

Scores are over the abdomen of the given image, on the prepared grid, in the task's window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.views import Abdomen, Domain, SynthesisView
from medsearch.metrics import images
from medsearch.metrics.scoring import Row
from medsearch.pictures.panels import Panel, Plane
from medsearch.pictures.tiles import Gallery, Tile
from medsearch.stages.context import StageContext, training_hours
from medsearch.stages.stage import Epoch, Outcome, Training

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


PLACES = (0.35, 0.65)
"""Of the slices to show: relative to the abdomen, from its top; the kidneys' region."""
LIMITS = (-160.0, 240.0)
"""HU shown as black and white: a window for the abdomen's soft tissues."""
REACH = 200.0
"""HU at either end of a difference's scale."""


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
        """Score what was made, and what was given, against what was wanted."""
        self.rows.append(_scored(pair.made, pair.wanted))
        self.given.append(_scored(pair.given.images(), pair.wanted))

    def metrics(self, split: Literal["validation", "test"]) -> dict[str, float]:
        """Means over cases; a score that is defined nowhere is left out."""
        return {f"{split}/{name}": mean for name, mean in _means(self.rows).items()}

    @property
    def notes(self) -> dict[str, object]:
        """Every case's scores, which forms these are, and what the given images come to."""
        return {"cases": self.rows, "forms": FORMS, "given": _means(self.given)}


def _scored(made: Stack, wanted: Abdomen) -> Row:
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


def _means(rows: Sequence[Row]) -> dict[str, float]:
    known = {name: [float(row[name]) for row in rows if row[name] is not None] for name in MEANS}  # type: ignore[arg-type]
    return {name: fmean(values) for name, values in known.items() if values}


def made_pairs(synthesise: Synthesise, view: SynthesisView, split: Literal["validation", "test"]) -> Iterator[Pair]:
    """Every pair of a part with what is made of the given image, in the split's order."""
    for subject in view.pairs(split):
        given, wanted = view.pair(split, subject)
        yield Pair(given, synthesise(given), wanted)


def scored_pairs(synthesise: Synthesise, context: StageContext[SynthesisView]) -> Training:
    """Score every test pair, and draw some of them and of the unpaired cases.

    The hours of training are those of the whole pipeline, a shared stage's in every row that takes it.
    """
    scores, shown = PairScores(), list[Pair]()
    for pair in made_pairs(synthesise, context.task, "test"):
        scores.add(pair)
        if len(shown) < SHOWN:
            shown.append(pair)
    gallery = Gallery(context.directory)
    ssim = {str(row["subject"]): f"SSIM {row['ssim']:.3f}" for row in scores.rows}
    titles = [f"{pair.given.subject}\n{ssim[pair.given.subject]}" for pair in shown]
    gallery.add("pairs", [tile for pair in shown for tile in _pair_tiles(pair)], titles=titles)
    gallery.add("unpaired", list(_unpaired_tiles(context.task, synthesise)))
    gallery.close()
    hours = {"test/training_hours": training_hours(context.upstream.values())}
    yield Epoch(1, {})
    return Outcome({**scores.metrics("test"), **hours}, scores.notes)


def _pair_tiles(pair: Pair) -> Iterator[Tile]:
    """Given, made, wanted, and made minus wanted in HU."""
    z = round(PLACES[-1] * (len(pair.given) - 1))
    wanted, subject = pair.wanted.images(z), pair.given.subject
    yield Tile(subject=subject, what="given", panel=_panel(pair.given.images(z), pair.given))
    yield Tile(subject=subject, what="made", panel=_panel(pair.made[z], pair.given))
    yield Tile(subject=subject, what="wanted", panel=_panel(wanted, pair.wanted))
    off = (_hounsfield(pair.made[z], pair.given) - _hounsfield(wanted, pair.given)) / REACH
    difference = Panel(image=np.clip(off, -1, 1), brain=np.ones(off.shape, np.uint8))
    yield Tile(subject=subject, what="made − wanted", panel=difference, note="±200 HU")


def _unpaired_tiles(view: SynthesisView, synthesise: Synthesise) -> Iterator[Tile]:
    """Cases that nothing was trained on, of the contrast that is given, and what is made of them."""
    side: Domain = "source" if view.task.direction == "forward" else "target"
    for subject in view.subjects(side, "validation")[:SHOWN]:
        given = view.abdomen(side, "validation", subject)
        made = synthesise(given)
        for place in PLACES:
            z = round(place * (len(given) - 1))
            yield Tile(subject=f"{subject}, slice {z}", what="given", panel=_panel(given.images(z), given))
            yield Tile(subject=f"{subject}, slice {z}", what="made", panel=_panel(made[z], given))


def _panel(plane: Plane, abdomen: Abdomen) -> Panel:
    """A slice (Y, X) in [-1, 1], shown in the soft tissues' window."""
    return Panel(image=_hounsfield(plane, abdomen), brain=np.ones(plane.shape, np.uint8), limits=LIMITS)


def _hounsfield(plane: Plane, abdomen: Abdomen) -> Plane:
    """Values in [-1, 1], which span the abdomen's window, as HU."""
    low, high = abdomen.window
    return low + (plane + 1) * (high - low) / 2
