"""What the thesis prints for MoDATTS (chapter 5, section 5.5), transcribed with labels and pages as printed.

Pages of tables and figures are those of their lists; of text, the page on which the sentence stands. Figures 5.7 and
5.8 print no numbers: their entries are what the text states for them, or what a table prints for the same run.

Section 5.5.1: on BraTS every run was repeated under three seeds, and spreads are standard deviations over them; on
CrossMoDA five folds voted, the challenge's platform scored every experiment once, and spreads are over 64 test cases.
Not printed, hence inferred (each note says so): whose validation Dice selected the weights. Not printed either, hence
assumed (`assumed`): of what a run's test Dice on BraTS is taken. On CrossMoDA spreads over cases say it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from medsearch.core.reported import Reported

T1_TO_T2, T2_TO_T1, T1CE_TO_HRT2 = "BraTS : T1 → T2", "BraTS : T2 → T1", "CrossMoDA : T1ce → hrT2"

_ORACLE = "selection rule inferred: weights kept by validation Dice (5.5.1), in the released code by target masks"
_PSEUDO = "5 folds vote, scored once by the challenge; selection rule inferred: target masks were not to be had"
_ASSUMED = (
    "section 5.5.1 averages the test Dice of three runs and does not say of what a run's is taken; assumed to be one "
    "Dice of all diseased halves (crops) of the test split together, as the released code keeps it while training: the "
    "function that its test calls, dice_global_s, was not released"
)
_SLICES = (
    "section 5.5.2 gives the mean over pairs alone; assumed to be of one Dice of all diseased slices of the test split "
    "together, which is what the released code prints of models of slices"
)
_BLANK = Reported(paper="MoDATTS, thesis ch. 5", where="", page=0, row="", column="", metric="dice", value=0.0)
_BRATS = replace(
    _BLANK,
    cohort="brats2020",
    selection="oracle",
    statistic="pooled",
    unit="diseased halves",
    assumed=_ASSUMED,
    note=_ORACLE,
)
_CROSSMODA = replace(
    _BLANK,
    cohort="crossmoda2022",
    selection="pseudo-target",
    statistic="mean over cases",
    unit="whole volume",
    note=_PSEUDO,
)

_ROUNDED = "both abstracts print 0.87 ± 0.04, Tables 5.3 and 5.5 print 0.870 ± 0.048"
_SEPARATE = (
    "section 5.5.6 prints −0.31 (BraTS) and −0.20 (CrossMoDA) for separate decoders, rows of Table 5.5 differ by "
    "−0.031 and −0.020"
)
_OF_MGENSEG = "the abstract of the thesis and section 6.1.2 say 87 % of M-GenSeg, section 5.5.2 of the 2D MoDATTS"


def _seeds(value: Reported, spread: float) -> Reported:
    return replace(value, spread=spread, spread_of="seeds", n=3)


def _cases(value: Reported, spread: float) -> Reported:
    return replace(value, spread=spread, spread_of="cases", n=64)


def _noting(value: Reported, *, note: str) -> Reported:
    return replace(value, note="; ".join(part for part in (note, value.note) if part))


def _table_5_3() -> Iterator[Reported]:
    rows = (
        ("ne2e", "[182]", 0.847, 0.063, 0.551, 0.303),
        ("Super-Poly", "[183]", 0.849, 0.068, 0.520, 0.229),
        ("MAI", "[174]", 0.852, 0.089, 0.475, 0.207),
        ("LaTIM", "[175]", 0.868, 0.060, 0.430, 0.178),
        ("MoDATTS", "", 0.870, 0.048, 0.432, 0.175),
    )
    others = "validation phase of the challenge, from its leader-board; selection rule not printed"
    for row, cited, dice, dice_sd, assd, assd_sd in rows:
        base = replace(_CROSSMODA, where="Table 5.3", page=73, row=row)
        if cited:
            base = replace(base, selection="", note=f"cited as {cited}; {others}")
        else:
            base = _noting(base, note="printed as “MoDATTS (Ours)”")
        yield _cases(replace(base, column="VS Dice", value=dice, contradiction="" if cited else _ROUNDED), dice_sd)
        yield _cases(replace(base, column="VS ASSD", metric="assd", value=assd), assd_sd)


def _table_5_4() -> Iterator[Reported]:
    columns = (
        ("0%", 0.801, 0.006, 0.945),
        ("10%", 0.826, 0.006, 0.975),
        ("20%", 0.839, 0.005, 0.99),
        ("30%", 0.844, 0.007, 0.995),
        ("50%", 0.847, 0.005, 1.0),
    )
    base = _noting(replace(_BRATS, where="Table 5.4", page=73), note="self-supervised, T2 → T1ce")
    for column, dice, sd, _ in columns:
        yield _seeds(replace(base, row="T1ce Dice Score", column=column, value=dice), sd)
    for column, _, _, share in columns:
        yield replace(base, row="% of TSMP", column=column, metric="share", value=share)
    said = replace(_BRATS, where="section 5.5.3", page=73, row="Target supervised", value=0.848)
    yield _noting(_seeds(said, 0.006), note="on T1ce, whatever the fraction")


def _table_5_5() -> Iterator[Reported]:
    rows = (
        ("w/o TAMT w/o ST", 0.817, 0.005, 0.93, 0.826, 0.100),
        ("w/o ST", 0.844, 0.001, 0.96, 0.851, 0.051),
        ("Proposed (Self-sup.)", 0.863, 0.002, 0.98, 0.870, 0.048),
        ("w/o P → A and A → P", 0.658, 0.009, 0.75, 0.621, 0.269),
        ("w/o A → P", 0.715, 0.012, 0.82, 0.666, 0.222),
        ("w/o dual-use Res./Seg.", 0.739, 0.008, 0.84, 0.707, 0.177),
        ("Proposed (Semi-sup.)", 0.770, 0.005, 0.88, 0.727, 0.173),
    )
    for row, dice, sd, share, crossmoda, crossmoda_sd in rows:
        separate = _SEPARATE if row == "w/o dual-use Res./Seg." else ""
        brats = replace(_BRATS, where="Table 5.5", page=78, row=row, column=T1_TO_T2)
        yield _seeds(replace(brats, value=dice, contradiction=separate), sd)
        yield replace(brats, metric="share", value=share)
        base = replace(_CROSSMODA, where="Table 5.5", page=78, row=row, column=T1CE_TO_HRT2)
        other = _ROUNDED if row == "Proposed (Self-sup.)" else separate
        yield _cases(replace(base, value=crossmoda, contradiction=other), crossmoda_sd)


def _figure_5_7() -> Iterator[Reported]:
    mean = _noting(
        replace(_BRATS, where="section 5.5.2", page=71, column="mean of 12 pairs", metric="share"),
        note="mean over the 12 pairs of figure 5.7",
    )
    yield replace(mean, row="MoDATTS (3D)", value=0.95)
    slices = replace(mean, unit="diseased slices", assumed=_SLICES)
    yield replace(slices, row="MoDATTS (2D)", value=0.87, contradiction=_OF_MGENSEG)
    for row, share in (("AccSegNet", 0.82), ("AttENT", 0.79)):
        yield replace(slices, row=row, value=share)
    same = "taken to be the bar of figure 5.7, which prints no numbers"
    bar = _noting(replace(_BRATS, where="Table 5.5", page=78, row="MoDATTS (3D)"), note=same)
    yield _seeds(replace(bar, column="T1 → T2", value=0.863), 0.002)
    yield replace(bar, where="section 5.5.4", page=74, column="T2 → T1", value=0.758)
    bar = replace(bar, column="T2 → T1ce", page=73)
    yield _seeds(replace(bar, where="Table 5.4", value=0.801), 0.006)
    yield _seeds(replace(bar, where="section 5.5.3", row="Target supervised", value=0.848), 0.006)


def _figure_5_8() -> Iterator[Reported]:
    said = replace(_BRATS, where="section 5.5.4", page=74)
    crossmoda = replace(_CROSSMODA, where="section 5.5.4", page=74, column=T1CE_TO_HRT2)
    spread = "spread from Table 5.5, which prints the same value"
    full, sparse = "Self-supervised, 100%", "Self-supervised, 1%"
    yield _noting(_seeds(replace(said, row=full, column=T1_TO_T2, value=0.863), 0.002), note=spread)
    yield replace(said, row=full, column=T2_TO_T1, value=0.758)
    yield _noting(_cases(replace(crossmoda, row=full, value=0.870), 0.048), note=spread)
    yield replace(said, row=sparse, column=T1_TO_T2, metric="share", value=0.75)
    full, sparse = "Semi-supervised, 100%", "Semi-supervised, 1%"
    yield replace(said, row=full, column=T1_TO_T2, value=0.857)
    yield replace(said, row=full, column=T2_TO_T1, value=0.748)
    yield replace(crossmoda, row=full, value=0.851)
    yield replace(said, row=sparse, column=T1_TO_T2, metric="share", value=0.88)
    point = "taken to be the point of figure 5.8, which prints no numbers"
    tabled = replace(said, where="Table 5.5", page=78, row=sparse, column=T1_TO_T2, value=0.770)
    yield _noting(_seeds(tabled, 0.005), note=point)
    tabled = replace(crossmoda, where="Table 5.5", page=78, row=sparse, value=0.727)
    yield _noting(_cases(tabled, 0.173), note=point)


def _section_5_5_6() -> Iterator[Reported]:
    rows = (
        ("w/o ST", 76, 0.02, 0.02, "printed as a gain of around +0.02 by self-training"),
        ("w/o TAMT w/o ST", 76, 0.027, 0.025, "against w/o ST"),
        ("w/o A → P", 76, 0.055, 0.061, "printed as a gain by A → P"),
        ("w/o dual-use Res./Seg.", 78, 0.31, 0.20, ""),
    )
    for row, page, brats, crossmoda, note in rows:
        contradiction = _SEPARATE if row == "w/o dual-use Res./Seg." else ""
        for base, column, drop in ((_BRATS, T1_TO_T2, brats), (_CROSSMODA, T1CE_TO_HRT2, crossmoda)):
            said = replace(base, where="section 5.5.6", page=page, row=row, column=column, metric="gain", value=-drop)
            yield replace(_noting(said, note=note), contradiction=contradiction)
    yield _noting(
        replace(_BRATS, where="section 5.5.6", page=76, row="w/o A → P", column=T1_TO_T2, metric="share", value=0.82),
        note="on BraTS",
    )


REPORTED: Mapping[str, tuple[Reported, ...]] = {
    "Table 5.3": tuple(_table_5_3()),
    "Table 5.4": tuple(_table_5_4()),
    "Table 5.5": tuple(_table_5_5()),
    "Figure 5.7": tuple(_figure_5_7()),
    "Figure 5.8": tuple(_figure_5_8()),
    "Section 5.5.6": tuple(_section_5_5_6()),
}
"""By the table, figure or section that a study reproduces."""
