"""What is known of a metric by its name: how it is called, its unit and digits, which way is better, when two agree.

Every table, figure, sentence and verdict asks here, so that a metric is written one way everywhere. Of a name that is
not here nothing is known but the name: three digits, no unit, no direction, no default margin.

Margins, within which two values count as equal, in the metric's unit:

    dice, share, gain   0.03, of pooled voxels too; change 3 % points: what 0.03 is in a share, and never more than 0.03
                        in Dice, as the Dice that it is relative to is 1 at most
    assd                0.1 mm: a quarter of CrossMoDA's in-plane voxel
    hd95                1 mm: a percentile of distances between voxels moves by whole voxels, whose longest edge it is
    psnr                0.5 dB: 12 % of the squared error, and about half of the least spread over patients that paper
                        000 prints (0.87 dB)
    mse                 0.005 (intensities on [-1, 1]): what 0.5 dB is at the errors that it prints, 0.04 to 0.1
    ssim                0.02: no more than its least spread over patients there (0.022)
    mae                 5 HU: about what quality assurance lets the CT number of water be off
    training_hours      0.5 h: a sixth of the shortest time there (3 h), what a run's time may move by on one machine;
                        what another machine takes is another matter, which no margin heals and the caption says
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, final

from medsearch.core.reported import Statistic
from medsearch.reporting.wording import listed, score

Better = Literal["", "more", "less"]

TIMES = ("training_hours", "hours")
"""What a test stage reports of a run's whole pipeline, and what a training stage does."""


DERIVED = ("share", "gain", "change")
"""Metrics of reported values that are made of two rows' Dice, and so have its statistic."""


@final
@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known of one.

    heading: its name with its unit. spoken: the same within a sentence, where it differs. digits: after the point.
    better: which way; empty where it is not known. margin: by default; None: a study must give one.
    gap_unit: of a difference, where it is not the value's. ratio: whether a share of another row's value means
    something. by_case: whether a test case has a value, not the run alone. pools: the metric of one unit that this one
    takes of all scored units together; empty for every other. widest: the largest difference of two values that there
    can be, if there is one.
    """

    name: str
    heading: str
    spoken: str = ""
    unit: str = ""
    gap_unit: str = ""
    digits: int = 3
    better: Better = ""
    margin: float | None = None
    widest: float | None = None
    ratio: bool = False
    by_case: bool = True
    pools: str = ""

    @property
    def statistic(self) -> Statistic:
        """What a run's value is: of the run as a whole, pooled over scored units, or the mean of test cases' own."""
        return "pooled" if self.pools else "mean over cases" if self.by_case else "run"

    @property
    def words(self) -> str:
        """The metric within a sentence, with its unit: `training time (h)`."""
        return self.spoken or self.heading

    @property
    def behind(self) -> str:
        """What stands behind a value in a sentence."""
        return f" {self.unit}" if self.unit else ""

    @property
    def behind_gap(self) -> str:
        """What stands behind a difference in a sentence."""
        return f" {self.gap_unit}" if self.gap_unit else self.behind


def short(metric: str) -> str:
    """`test/dice` as cases and papers name it: `dice`."""
    return metric.rpartition("/")[2]


def metric_of(metric: str) -> Metric:
    """What is known of `test/dice`, or of `dice`."""
    name = short(metric)
    return METRICS.get(name, Metric(name=name, heading=name.replace("_", " ")))


def full_heading(metric: str) -> str:
    """`validation/ssim` as the heading of a column or an axis: `Validation SSIM`."""
    split, known = metric.rpartition("/")[0], metric_of(metric)
    return f"{split.capitalize()} {known.heading}" if split and known.statistic != "run" else known.heading


def full_words(metric: str) -> str:
    """The same within a sentence: `validation SSIM`."""
    split, known = metric.rpartition("/")[0], metric_of(metric)
    return f"{split} {known.words}" if split and known.statistic != "run" else known.words


def pooled(metric: str) -> str:
    """The name of `test/dice` where all scored units are one, `test/dice_micro`; empty where no stage measures it."""
    split, slash, name = metric.rpartition("/")
    return next((f"{split}{slash}{of.name}" for of in _ALL if of.pools == name), "")


def directions(metrics: Iterable[str]) -> Iterator[str]:
    """Lines for a caption: of which metrics less is better, and which are of a run and not of its test cases."""
    known = tuple({metric_of(metric).words: metric_of(metric) for metric in metrics}.values())
    less = [metric.words for metric in known if metric.better == "less"]
    if less:
        yield f"Less is better in {listed(less)}."
    if any(metric.name in TIMES for metric in known):
        yield (
            "Training time is a run's own, one value per seed: of all stages that it stands on, a shared one's in "
            "every row that takes it, by the clock of the machine that it ran on, beside whatever else ran there. "
            "Hours of another machine, as a paper's, are no measure of it."
        )


def unchanged(given: Mapping[str, float], metrics: Iterable[str]) -> str:
    """A line for a caption: what the given images score without a method; empty where that is not known.

    given: by metric, without the split.
    """
    known = [metric_of(metric) for metric in metrics if short(metric) in given]
    scores = listed(f"{of.words} {score(given[of.name], of.digits)}" for of in known)
    return f"The given images, unchanged, come to {scores}: what is worse has lost more than it made." if known else ""


_ALL = (
    Metric(name="dice", heading="Dice", better="more", margin=0.03, widest=1.0, ratio=True),
    Metric(name="dice_change", heading="relative change of Dice"),
    Metric(name="dice_micro_change", heading="relative change of Dice, voxels pooled"),
    Metric(name="dice_volume", heading="Dice, whole volume", better="more", widest=1.0),
    Metric(
        name="dice_micro",
        heading="Dice, voxels pooled",
        better="more",
        margin=0.03,
        ratio=True,
        by_case=False,
        pools="dice",
    ),
    Metric(name="share", heading="share", better="more", margin=0.03),
    Metric(name="gain", heading="gain", better="more", margin=0.03),
    Metric(name="change", heading="change", unit="%", gap_unit="% points", better="more", margin=3.0),
    Metric(name="assd", heading="ASSD (mm)", unit="mm", digits=2, better="less", margin=0.1),
    Metric(name="assd_volume", heading="ASSD (mm), whole volume", unit="mm", digits=2, better="less"),
    Metric(name="hd95", heading="HD95 (mm)", unit="mm", digits=2, better="less", margin=1.0),
    Metric(name="mse", heading="MSE", digits=4, better="less", margin=0.005),
    Metric(name="psnr", heading="PSNR (dB)", unit="dB", digits=2, better="more", margin=0.5),
    Metric(name="psnr_volume", heading="PSNR of the volume (dB)", unit="dB", digits=2, better="more", margin=0.5),
    Metric(name="ssim", heading="SSIM", better="more", margin=0.02),
    Metric(name="mae", heading="MAE (HU)", unit="HU", digits=1, better="less", margin=5.0),
    *(
        Metric(
            name=name,
            heading="Training time (h)",
            spoken="training time (h)",
            unit="h",
            digits=3,
            better="less",
            margin=0.5,
            by_case=False,
        )
        for name in TIMES
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
"""In the order in which tables show what a test stage reports."""
