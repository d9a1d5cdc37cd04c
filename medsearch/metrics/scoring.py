"""How test cases are scored: by the protocol of their data set.

"diseased halves": of each subject, whole ones, so tumour outside the crop counts as missed; presence is a known weak
label. The paper's own score, micro Dice over diseased crops, stands beside it, as does the Dice of both halves, where
false tumour in a healthy half counts too.

"diseased slices": of each subject, those of whole hemispheres in which enough of the brain is tumour, as M-GenSeg's
paper scores them; false tumour in other slices does not count. Micro Dice is over these slices too, and the Dice of
the diseased halves stands beside, and surfaces are theirs.

"whole volume": as CrossMoDA (2021 and 2022) scored, Dice and ASSD of the whole volume; micro Dice likewise. The
challenge called medpy as it was then (0.4), so these are its forms, also where today's differ: the ASSD is the mean of
the two directed means, not of all distances together, and nothing found is charged, not left out.

    found   marked     Dice      ASSD
    yes     yes        2I/(P+T)  mean of the two directed means
    no      yes        0         350 mm
    no      no         0         350 mm: the charge looks at the prediction only
    yes     no         0         undefined (None): medpy raised; no case of the challenge is without a tumour

Scores are taken on the prepared grid: of a registered cohort in the atlas's millimetres, and within the block, beyond
which no tumour is counted as missed. (The challenge scored on each file's own grid.) A case without a mask has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.layouts import tumour_layout
from medsearch.cohorts.layouts.scans import Scoring
from medsearch.cohorts.patches import SliceRule
from medsearch.cohorts.patches import hemispheres as whole_halves
from medsearch.cohorts.views import TaskView
from medsearch.core.recipes import plain
from medsearch.imaging.geometry import Box, Geometry, Spacing, halves, outside_crops
from medsearch.metrics.overlap import Mask as AnyMask
from medsearch.metrics.overlap import MicroDice, dice
from medsearch.metrics.surfaces import assd

MEANS = ("dice", "assd", "dice_halves", "dice_volume")
POOLED = "mean over the surface voxels of both masks together; undefined where nothing was found"
ASSD_FORM = "mean of the two directed means (medpy 0.4), 350 mm where nothing was found"
"""How a table that shows `crossmoda_assd` names it."""
MISSED_MM = 350.0
"""What a case costs CrossMoDA's ASSD in which nothing was found."""

Mask = NDArray[np.uint8]
Row = dict[str, str | int | float | None]


@dataclass(frozen=True)
class TestCase:
    """A test subject: its image, mask if it has one, and prediction (Z, Y, X), and which halves are diseased.

    Of a case without a mask, `diseased` is a weak label given apart, or None. patient: whose case it is, where one
    patient may have several.
    """

    subject: str
    image: NDArray[np.float32]
    truth: Mask | None
    prediction: Mask
    diseased: tuple[bool, bool] | None
    box: Box
    patient: str | None = None


@dataclass
class Scores:
    """Rows by case, and what they come to. `slices`: the rule of those that are scored, where slices are."""

    scoring: Scoring
    geometry: Geometry
    spacing: Spacing
    slices: SliceRule | None = None
    rows: list[Row] = field(default_factory=list)
    micro: MicroDice = field(default_factory=MicroDice)
    unscored: int = 0

    @staticmethod
    def of(task: TaskView, *, hemispheres: bool = False, slices: SliceRule | None = None) -> "Scores":
        """None yet, in the protocol of the task's data set; where that scores halves, maybe only their `slices`.

        hemispheres: a crop is a whole half.
        """
        scoring: Scoring = tumour_layout(task.task.layout).scoring
        geometry = whole_halves(task.geometry, task.shape) if hemispheres or slices else task.geometry
        if scoring == "diseased halves" and slices:
            scoring = "diseased slices"
        return Scores(scoring, geometry, task.spacing, slices)

    def add(self, case: TestCase) -> None:
        """Score a case that has a mask; count one that has none."""
        if case.truth is None:
            self.unscored += 1
            return
        if self.scoring == "whole volume":
            found, marked = case.prediction, case.truth
            scores: Row = {"dice": crossmoda_dice(found, marked), "assd": crossmoda_assd(found, marked, self.spacing)}
            self.rows.append({"subject": case.subject, **scores, **_tumour(case, marked, self.geometry)})
            self.micro.add(found, marked)
        elif self.scoring == "diseased slices" and self.slices:
            self.rows.append(score_slices(case, case.truth, self, rule=self.slices))
        else:
            self.rows.append(score_halves(case, case.truth, self.geometry, spacing=self.spacing))
            add_crops(self.micro, case, case.truth, geometry=self.geometry)
        if case.patient is not None:
            self.rows[-1]["patient"] = case.patient

    @property
    def metrics(self) -> dict[str, float]:
        """Means over cases, and micro Dice; nothing where no case has a mask."""
        return {**means(self.rows), **({"test/dice_micro": self.micro.value} if self.rows else {})}

    @property
    def notes(self) -> dict[str, object]:
        """Every case's scores, how many have none, and which forms these are."""
        form = ASSD_FORM if self.scoring == "whole volume" else POOLED
        rule = {"slices": plain(self.slices)} if self.slices else {}
        return {"cases": self.rows, "unscored": self.unscored, "scoring": self.scoring, "assd": form, **rule}


def crossmoda_dice(prediction: AnyMask, truth: AnyMask) -> float:
    """Dice of one case in [0, 1]; 0 as soon as one mask is empty, also when both are.

    Raises:
        BadInput: the masks lie on different grids.
    """
    overlap = dice(prediction, truth)  # refuses other grids
    return overlap if np.any(truth) else 0.0


def crossmoda_assd(prediction: AnyMask, truth: AnyMask, spacing: float | Sequence[float]) -> float | None:
    """ASSD of one case, mm, in the form of medpy 0.4; `spacing` is the voxel size along the arrays' own axes, mm.

    350 mm where nothing was found; None where something was and nothing is marked. (The challenge took the spacing
    from the diagonal of the file's affine, which is the voxel size as long as no axes are swapped.)

    Raises:
        BadInput: the masks lie on different grids.
    """
    if prediction.shape == truth.shape and not np.any(prediction):
        return MISSED_MM
    return assd(prediction, truth, spacing, form="directed")


def score_halves(case: TestCase, truth: Mask, geometry: Geometry, *, spacing: Spacing) -> Row:
    """One case: Dice and ASSD (mm) over its diseased halves, Dice over both, and the tumour that no crop holds.

    The ASSD is None where nothing was found; both are None for a subject without a tumour.
    """
    assert case.diseased is not None  # a mask tells
    scored = diseased_part(case.diseased, truth.shape)
    marked, found, diseased = truth * scored, case.prediction * scored, any(case.diseased)
    return {
        "subject": case.subject,
        "dice": dice(found, marked) if diseased else None,
        "assd": assd(found, marked, spacing) if diseased else None,
        "dice_volume": dice(case.prediction, truth),
        **_tumour(case, truth, geometry),
    }


def score_slices(case: TestCase, truth: Mask, scores: Scores, *, rule: SliceRule) -> Row:
    """One case: Dice over its diseased slices, which count for micro Dice too, beside the scores of its halves."""
    images, marked, found = (halves(of, scores.geometry, case.box) for of in (case.image, truth, case.prediction))
    diseased, _ = rule.parted(images, np.count_nonzero(marked, axis=(2, 3)))
    for of_slice in zip(found[diseased], marked[diseased], strict=True):
        scores.micro.add(*of_slice)
    row = score_halves(case, truth, scores.geometry, spacing=scores.spacing)
    whole, row["dice"] = row["dice"], dice(found[diseased], marked[diseased]) if diseased.any() else None
    return {**row, "dice_halves": whole}


def _tumour(case: TestCase, truth: Mask, geometry: Geometry) -> Row:
    return {"tumour_voxels": int(truth.sum()), "outside_crops": outside_crops(truth, geometry, case.box)}


def add_crops(micro: MicroDice, case: TestCase, truth: Mask, *, geometry: Geometry) -> None:
    """Add a case's diseased crops, as `geometry` cuts them, to `micro`."""
    assert case.diseased is not None
    found, marked = (halves(mask, geometry, case.box) for mask in (case.prediction, truth))
    for side, diseased in enumerate(case.diseased):
        if diseased:
            micro.add(found[side], marked[side])


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Over the cases in which a score is defined; a score that is defined nowhere is left out."""
    columns = {name: [float(row[name] or 0) for row in rows if row.get(name) is not None] for name in MEANS}
    return {f"test/{name}": fmean(values) for name, values in columns.items() if values}


def diseased_part(diseased: tuple[bool, bool], shape: tuple[int, ...]) -> Mask:
    """1 in the diseased halves (x below or above the middle), 0 elsewhere; (Z, Y, X)."""
    part = np.zeros(shape, np.uint8)
    middle = shape[2] // 2
    part[..., :middle] = diseased[0]
    part[..., middle:] = diseased[1]
    return part
