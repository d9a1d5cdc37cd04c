"""What the thesis prints for M-GenSeg (chapter 4) and for what it is compared with, labels and pages as printed.

Pages of tables and figures are those of their lists; of text, the page on which the sentence stands. Spreads are
standard deviations over three seeds of weight initialisation (section 4.3.3). Figures 4.3-4.5 print no numbers: their
entries are what the text states for them, or what a table prints for the same run.

Not printed, hence inferred (each note says so): whose validation Dice selected the weights, and Table 4.1's pairs.
Not printed either, hence assumed (`assumed`): of what a run's test Dice is taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from medsearch.core.reported import Reported

_ORACLE = "selection rule inferred: highest validation Dice (4.3.3), in the released code of source and target masks"
_ASSUMED = (
    "section 4.3.3 averages the test Dice of three runs and does not say of what a run's is taken; assumed to be what "
    "the released code prints: one Dice of all diseased slices of the test split together"
)
_SWAPPED = "the abstract of the thesis (p. vii-viii) names the two baselines in the other order: {} against {}"
_UAGAN_T2 = (
    "section 4.4.2 prints 0.872 ± 0.003 for UAGAN on T1 → T2, Table 4.2 prints 0.875 ± 0.006 for it (T1/T2 : T2), and "
    "0.872 ± 0.003 for M-GenSeg"
)
_BLANK = Reported(
    paper="M-GenSeg, thesis ch. 4",
    where="",
    page=0,
    row="",
    column="",
    metric="dice",
    value=0.0,
    cohort="brats2020",
    selection="oracle",
    statistic="pooled",
    unit="diseased slices",
    assumed=_ASSUMED,
    note=_ORACLE,
)
TARGET = "Target modality"


def _seeds(value: Reported, mean: float, spread: float) -> Reported:
    return replace(value, value=mean, spread=spread, spread_of="seeds", n=3)


def _noting(value: Reported, note: str) -> Reported:
    return replace(value, note=f"{note}; {value.note}")


def _table_4_1() -> Iterator[Reported]:
    base = replace(_BLANK, where="Table 4.1", page=49, column=TARGET, metric="change")
    base = _noting(base, "relative change of Dice, %; of which pairs, and over what the spread is, is not printed")
    rows = (
        ("No image-level supervision", -8.22, 2.71),
        ("No healthy modality translation", -2.41, 1.29),
        ("No absence to presence translation", -3.84, 1.71),
        ("Unshared latent spaces", -4.39, 1.91),
    )
    for row, mean, spread in rows:
        yield replace(base, row=row, value=mean, spread=spread)


_TABLE_4_2 = {
    "T1/T1ce": (("T1", 0.766, 0.003, 0.800, 0.007, 0.791, 0.010), ("T1ce", 0.812, 0.004, 0.830, 0.004, 0.820, 0.006)),
    "T1/FLAIR": (("T1", 0.719, 0.005, 0.791, 0.002, 0.781, 0.008), ("FLAIR", 0.834, 0.012, 0.889, 0.003, 0.874, 0.008)),
    "T1/T2": (("T1", 0.708, 0.005, 0.782, 0.003, 0.776, 0.005), ("T2", 0.837, 0.003, 0.875, 0.006, 0.872, 0.003)),
    "T1ce/FLAIR": (
        ("T1ce", 0.757, 0.010, 0.812, 0.007, 0.810, 0.004),
        ("FLAIR", 0.838, 0.005, 0.879, 0.006, 0.871, 0.004),
    ),
    "T1ce/T2": (("T1ce", 0.764, 0.004, 0.823, 0.003, 0.812, 0.007), ("T2", 0.844, 0.004, 0.873, 0.008, 0.869, 0.003)),
    "FLAIR/T2": (("FLAIR", 0.835, 0.009, 0.878, 0.005, 0.883, 0.007), ("T2", 0.838, 0.008, 0.868, 0.003, 0.868, 0.004)),
}
"""Pair: modality, then mean and spread of the supervised U-Net, UAGAN and M-GenSeg."""
_ROWS_4_2 = ("Supervised Unet", "UAGAN", "M-GenSeg")
_MISPRINTED = {
    ("Supervised Unet", "T1/T2", "T1"),
    ("UAGAN", "T1/T2", "T1"),
    ("M-GenSeg", "T1/T2", "T1"),
    ("Supervised Unet", "T1ce/FLAIR", "FLAIR"),
    ("UAGAN", "T1ce/FLAIR", "FLAIR"),
    ("M-GenSeg", "T1ce/FLAIR", "FLAIR"),
}
"""Whose spread is printed with a zero too many, as 0.0.005."""


def _table_4_2() -> Iterator[Reported]:
    base = replace(_BLANK, where="Table 4.2", page=50)
    for pair, modalities in _TABLE_4_2.items():
        for modality, *values in modalities:
            for row, mean, spread in zip(_ROWS_4_2, values[::2], values[1::2], strict=True):
                one = replace(_seeds(base, mean, spread), row=row, column=f"{pair} : {modality}")
                if row == "Supervised Unet":
                    one = _noting(one, "printed as “Supervised Unet (M-GenSeg backbone)”")
                if (row, pair, modality) in _MISPRINTED:
                    one = _noting(one, f"spread printed as 0.{spread:.3f}")
                disputed = (pair, modality) == ("T1/T2", "T2") and row != "Supervised Unet"
                yield replace(one, contradiction=_UAGAN_T2) if disputed else one


_TABLE_4_3 = {
    ("T1", "T1ce"): (0.633, 0.008, 0.687, 0.008, 0.727, 0.009, 0.753, 0.008),
    ("T1", "Flair"): (0.300, 0.005, 0.676, 0.009, 0.764, 0.010, 0.781, 0.007),
    ("T1", "T2"): (0.285, 0.006, 0.781, 0.011, 0.804, 0.006, 0.836, 0.004),
    ("T1ce", "T1"): (0.647, 0.004, 0.680, 0.013, 0.749, 0.006, 0.766, 0.006),
    ("T1ce", "Flair"): (0.447, 0.010, 0.700, 0.008, 0.749, 0.011, 0.784, 0.010),
    ("T1ce", "T2"): (0.363, 0.009, 0.709, 0.005, 0.813, 0.011, 0.831, 0.009),
    ("FLAIR", "T1"): (0.140, 0.007, 0.544, 0.008, 0.598, 0.012, 0.665, 0.007),
    ("FLAIR", "T1ce"): (0.261, 0.013, 0.644, 0.003, 0.569, 0.004, 0.690, 0.011),
    ("FLAIR", "T2"): (0.753, 0.004, 0.767, 0.006, 0.810, 0.010, 0.850, 0.003),
    ("T2", "T1"): (0.145, 0.005, 0.657, 0.003, 0.664, 0.012, 0.694, 0.011),
    ("T2", "T1ce"): (0.172, 0.010, 0.619, 0.008, 0.590, 0.014, 0.698, 0.012),
    ("T2", "Flair"): (0.747, 0.009, 0.755, 0.008, 0.759, 0.006, 0.795, 0.006),
}
"""Source and target, which is printed Flair where the source is FLAIR: mean and spread of Sup, Att, Acc and Mgen."""


def _table_4_3() -> Iterator[Reported]:
    base = replace(_BLANK, where="Table 4.3", page=51)
    for (source, target), values in _TABLE_4_3.items():
        for row, mean, spread in zip(("Sup", "Att", "Acc", "Mgen"), values[::2], values[1::2], strict=True):
            yield replace(_seeds(base, mean, spread), row=row, column=f"{source} → {target}")


def _figure_4_3() -> Iterator[Reported]:
    """What section 4.4.2 states of all pairs; the abstract of the thesis exchanges the two baselines."""
    gain = replace(_BLANK, where="section 4.4.2", page=47, row="M-GenSeg", column="mean of 12 pairs", metric="gain")
    for value, method, other in ((0.04, "AccSegNet", "AttENT"), (0.08, "AttENT", "AccSegNet")):
        swapped = _SWAPPED.format(f"{value:.2f}", other)
        yield _noting(replace(gain, value=value, contradiction=swapped), f"against {method}")


def _figure_4_4() -> Iterator[Reported]:
    """T1 → T2 with few annotated sources: what the abstract of the thesis states, and Table 4.3 where all are."""
    said = replace(_BLANK, where="abstract, p. vii-viii", page=7, column="T1 → T2")
    for method, mean, spread in (("M-GenSeg", 0.734, 0.008), ("AttENT", 0.478, 0.011), ("AccSegNet", 0.423, 0.007)):
        yield replace(_seeds(said, mean, spread), row=f"{method}, 1%")
    same = "taken to be the point of figure 4.4, which prints no numbers"
    named = {"Sup": "Source sup.", "Att": "AttENT", "Acc": "AccSegNet", "Mgen": "M-GenSeg"}
    for value in _table_4_3():
        if value.column == "T1 → T2":
            yield _noting(replace(value, row=f"{named[value.row]}, 100%"), same)


def _section_4_4_2() -> Iterator[Reported]:
    """Reaching supervised performance: a quarter of the target annotated, T1 → T2."""
    said = replace(_BLANK, where="section 4.4.2", page=47, column="T1 → T2")
    yield _noting(replace(_seeds(said, 0.861, 0.004), row="M-GenSeg, 25%"), "25 % of the target annotated")
    full = replace(_seeds(said, 0.872, 0.003), row="UAGAN", contradiction=_UAGAN_T2)
    yield _noting(full, "all of both annotated")
    share = replace(said, row="M-GenSeg, 25%", metric="share", value=0.99)
    yield _noting(share, "of UAGAN's")


REPORTED: Mapping[str, tuple[Reported, ...]] = {
    "Table 4.1": tuple(_table_4_1()),
    "Table 4.2": tuple(_table_4_2()),
    "Table 4.3": tuple(_table_4_3()),
    "Figure 4.3": tuple(_figure_4_3()),
    "Figure 4.4": tuple(_figure_4_4()),
    "Section 4.4.2": tuple(_section_4_4_2()),
}
"""By the table, figure or section that a study reproduces."""
