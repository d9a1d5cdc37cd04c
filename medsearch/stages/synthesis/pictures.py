"""What a test on pairs shows: unpaired slices and what is made of them, and pairs with what was wanted."""

from collections.abc import Iterator, Sequence

import numpy as np

from medsearch.data.views import Abdomen, Domain, SynthesisView
from medsearch.metrics.scoring import Row
from medsearch.pictures.panels import Panel, Plane
from medsearch.pictures.tiles import Gallery, Tile
from medsearch.stages.context import StageContext
from medsearch.stages.synthesis.pairs import SHOWN, Pair, Synthesise

PLACES = (0.35, 0.65)
"""Of the slices to show: relative to the abdomen, from its top; the kidneys' region."""
LIMITS = (-160.0, 240.0)
"""HU shown as black and white: a window for the abdomen's soft tissues."""
REACH = 200.0
"""HU at either end of a difference's scale."""


class Pictures:
    """Gathers pairs, and draws them with unpaired cases in the end."""

    def __init__(self, context: StageContext[SynthesisView]) -> None:
        self.context, self.pairs = context, list[Pair]()

    def add(self, pair: Pair) -> None:
        """Keep a pair, if few are kept yet."""
        if len(self.pairs) < SHOWN:
            self.pairs.append(pair)

    def draw(self, make: Synthesise, rows: Sequence[Row]) -> None:
        """Write all pictures."""
        gallery = Gallery(self.context.directory)
        told = {str(row["subject"]): f"SSIM {row['ssim']:.3f}" for row in rows}
        titles = [f"{pair.given.subject}\n{told[pair.given.subject]}" for pair in self.pairs]
        gallery.add("pairs", [tile for pair in self.pairs for tile in paired(pair)], titles=titles)
        gallery.add("unpaired", list(self._unpaired(make)))
        gallery.close()

    def _unpaired(self, make: Synthesise) -> Iterator[Tile]:
        """Cases that nothing was trained on, of the contrast that is given."""
        view = self.context.task
        side: Domain = "source" if view.task.direction == "forward" else "target"
        for subject in view.subjects(side, "validation")[:SHOWN]:
            of = view.abdomen(side, "validation", subject)
            made = make(of)
            for place in PLACES:
                z = round(place * (len(of) - 1))
                yield Tile(subject=f"{subject}, slice {z}", what="given", panel=grey(of.images(z), of))
                yield Tile(subject=f"{subject}, slice {z}", what="made", panel=grey(made[z], of))


def paired(pair: Pair) -> Iterator[Tile]:
    """Given, made, wanted, and made minus wanted in HU."""
    z = round(PLACES[-1] * (len(pair.given) - 1))
    wanted, subject = pair.wanted.images(z), pair.given.subject
    yield Tile(subject=subject, what="given", panel=grey(pair.given.images(z), pair.given))
    yield Tile(subject=subject, what="made", panel=grey(pair.made[z], pair.given))
    yield Tile(subject=subject, what="wanted", panel=grey(wanted, pair.wanted))
    off = (hounsfield(pair.made[z], pair.given) - hounsfield(wanted, pair.given)) / REACH
    whole = np.ones(off.shape, np.uint8)
    yield Tile(
        subject=subject, what="made − wanted", panel=Panel(image=np.clip(off, -1, 1), brain=whole), note="±200 HU"
    )


def grey(plane: Plane, of: Abdomen) -> Panel:
    """A slice in the soft tissues' window."""
    return Panel(image=hounsfield(plane, of), brain=np.ones(plane.shape, np.uint8), limits=LIMITS)


def hounsfield(plane: Plane, of: Abdomen) -> Plane:
    """Values in [-1, 1] as HU."""
    low, high = of.window
    return low + (plane + 1) * (high - low) / 2
