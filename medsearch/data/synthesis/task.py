"""Synthesis as a question: from which contrast to which, learnt from whom, judged on whom."""

from dataclasses import dataclass, field
from typing import Literal

from medsearch.core.errors import BadInput
from medsearch.core.ranges import FractionBelowOne, NonNegativeInt
from medsearch.core.recipes import recipe
from medsearch.core.seeds import ranked
from medsearch.data.abdomen import BodyRule, RegionRule
from medsearch.data.axial import AxialGeometry
from medsearch.data.cohorts import Roster

FEWEST = 2  # cases of a contrast: one to train on, one to look at


@recipe
class SynthesisTask:
    """Make images of `target` from images of `source`, or the other way round, learning from cases that have only one.

    layout: the data set that the question is put to.
    direction: "forward" makes target images from source images, "backward" source images from target images. Only
        pairs know it, so both directions share all training that sees none.
    held_out: the fraction of unpaired cases of each contrast that nothing is trained on, at least one (10 of 82,
        section 3).
    validation_pairs: the fraction of pairs that model selection may see; the others are the test. None in the paper.
    region: how the abdomen is found in a stack. body: how the body is.
    """

    layout: str = "abdominal_ct"
    source: str = "CT"
    target: str = "ceCT"
    direction: Literal["forward", "backward"] = "forward"
    held_out: FractionBelowOne = 0.122
    validation_pairs: FractionBelowOne = 0.0
    split_seed: NonNegativeInt = 0
    geometry: AxialGeometry = field(default_factory=AxialGeometry)
    body: BodyRule = field(default_factory=BodyRule)
    region: RegionRule = field(default_factory=RegionRule)

    @property
    def given(self) -> str:
        """The contrast that a pair's image is made from."""
        return self.source if self.direction == "forward" else self.target

    @property
    def wanted(self) -> str:
        """The contrast that it is made in."""
        return self.target if self.direction == "forward" else self.source


@dataclass(frozen=True, kw_only=True)
class SynthesisSplit:
    """Who is where. Fields are named "<split>_<side>", a side being "source", "target" or "paired"."""

    train_source: tuple[str, ...]
    train_target: tuple[str, ...]
    validation_source: tuple[str, ...]
    validation_target: tuple[str, ...]
    validation_paired: tuple[str, ...]
    test_paired: tuple[str, ...]


def split(task: SynthesisTask, roster: Roster) -> SynthesisSplit:
    """Divide the subjects: pairs are those whose part is "test", every other one belongs to the contrast that it has.

    The order of subjects does not matter. Leaving one out keeps the order of all others, but for rounding may move the
    border between two parts by one.

    Raises:
        BadInput: source and target are the same contrast, a training case has both or neither, or there are too few.

    """
    if task.source == task.target:
        msg = f"task.source and task.target are both {task.source!r}; name two contrasts"
        raise BadInput(msg)
    pairs = ranked(task.split_seed, [name for name in roster.subjects if roster.assigned.get(name) == "test"], "pairs")
    shown = max(1, round(task.validation_pairs * len(pairs))) if task.validation_pairs else 0
    source, target = (_of_contrast(task, roster, contrast) for contrast in (task.source, task.target))
    held_source, held_target = (max(1, round(task.held_out * len(of))) for of in (source, target))
    return SynthesisSplit(
        train_source=source[held_source:],
        train_target=target[held_target:],
        validation_source=source[:held_source],
        validation_target=target[:held_target],
        validation_paired=pairs[:shown],
        test_paired=pairs[shown:],
    )


def _of_contrast(task: SynthesisTask, roster: Roster, contrast: str) -> tuple[str, ...]:
    """The unpaired cases of one contrast."""
    both = (task.source, task.target)
    free = [name for name in roster.subjects if roster.assigned.get(name) != "test"]
    for name in free:
        here = [one for one in both if one in roster.contrasts.get(name, ())]
        if len(here) != 1:
            what = f"both {task.source} and {task.target}" if here else f"neither {task.source} nor {task.target}"
            msg = f"case {name} has {what}, but training is unpaired; put it among the pairs, or leave it out"
            raise BadInput(msg)
    found = ranked(task.split_seed, [name for name in free if contrast in roster.contrasts[name]], "split", contrast)
    if len(found) < FEWEST:
        msg = f"the cohort has {len(found)} unpaired {contrast} cases, a split needs at least {FEWEST}; add cases"
        raise BadInput(msg)
    return found
