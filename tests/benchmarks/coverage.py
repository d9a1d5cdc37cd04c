"""Do intervals hold the truth as often as they say, and how often is a difference shown where there is none?

    python -m tests.benchmarks.coverage [--studies 4000] [--before 1000] [--mixed 0]

Made-up studies of two rows under the same seeds on the same cases, Dice about 0.7. The scatter of their difference has
an SD of 0.03 over cases, 0.02 left over, and over seeds 0.005 (cases dominate), 0.02 (equal) or 0.05 (seeds dominate);
half of each variance is each row's own, and a case is as much harder as another for both rows (SD 0.1). Beside each
estimator of the package stands what was there before: percentile intervals of a bootstrap over cases and seeds, and
Wilcoxon's test over cases, each averaged over seeds, taken as a statement about methods.

Coverage: of the true value, between rows that differ by 0.07. Type I: a difference, a share or a change is claimed
between rows that are the same method. Half-widths are medians. A row of `--studies` is known to 0.0034 (one standard
error at 0.05).
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from scipy.stats import wilcoxon

from medsearch.reporting.comparison import LEAST
from medsearch.reporting.variance_components import (
    ALPHA,
    Estimate,
    apart,
    difference,
    log_mean_ratio,
    log_ratio,
    log_ratio_apart,
)

Floats = NDArray[np.float64]
Two = tuple[Floats, Floats]

SEEDS, CASES = (2, 3, 5), (4, 10, 30, 100)
REGIMES = {"cases dominate": 0.005, "equal": 0.02, "seeds dominate": 0.05}
"""SD over seeds of the rows' difference."""
OF_CASES, RESIDUAL, HARD, MEAN, EFFECT = 0.03, 0.02, 0.1, 0.7, 0.07
WIDTHS = 300
"""Studies whose half-widths are taken, which take longer than p."""
BEFORE = 499
"""Resamples of the bootstrap."""


@dataclass(frozen=True)
class Cell:
    """So many seeds and cases, and how much the difference varies over seeds."""

    seeds: int
    cases: int
    spread: float

    def studies(self, count: int, effect: float, rng: np.random.Generator) -> Two:
        """`count` studies: both rows' scores, (count, seeds, cases) each."""
        hard = rng.normal(0, HARD, (count, 1, self.cases))
        first, second = (
            mean
            + hard
            + rng.normal(0, self.spread / 2**0.5, (count, self.seeds, 1))
            + rng.normal(0, OF_CASES / 2**0.5, (count, 1, self.cases))
            + rng.normal(0, RESIDUAL / 2**0.5, (count, self.seeds, self.cases))
            for mean in (MEAN - effect, MEAN)
        )
        return first, second

    def true_change(self, effect: float) -> float:
        """The mean over seeds of the ratio of both rows' means over all cases there could be."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        one_over = (weights / (MEAN + self.spread / 2**0.5 * nodes)).sum() / weights.sum()
        return float((MEAN - effect) * one_over)


@dataclass(frozen=True)
class Found:
    """Shares of the simulated studies, and the mean half-width of their intervals."""

    coverage: float
    type_1: float
    half_width: float


Estimates = Callable[[Floats, Floats], Estimate | None]


def found(
    of: Estimates, cell: Cell, truth: Callable[[float], float], *, studies: int, rng: np.random.Generator
) -> Found:
    """What the package's estimators do; `truth` gives what they estimate where the rows differ by so much."""
    rates = []
    for effect in (EFFECT, 0.0):
        estimate = of(*cell.studies(studies, effect, rng))
        assert estimate is not None
        missed = estimate.p(truth(effect)) < ALPHA
        rates.append(float(missed.mean()))
    some = replace(estimate, mean=estimate.mean[:WIDTHS], squares=estimate.squares[:WIDTHS])
    return Found(1 - rates[0], rates[1], float(np.median(some.half_width())))


KINDS: Mapping[str, tuple[Estimates, Callable[[Cell], Callable[[float], float]]]] = {
    "difference": (difference, lambda cell: lambda effect: -effect),
    "share": (log_ratio, lambda cell: lambda effect: float(np.log((MEAN - effect) / MEAN))),
    "change": (
        log_mean_ratio,
        lambda cell: lambda effect: float(np.log(cell.true_change(effect))) if effect else 0.0,  # claimed: any change
    ),
}
"""Estimator, and what it estimates in a cell as a function of the rows' difference."""


def bootstrap(kind: str, cell: Cell, *, studies: int, rng: np.random.Generator) -> Found:
    """Percentile intervals of resampled cases and seeds.

    Cases are drawn once for both rows. Seeds are drawn of the differences and of each seed's ratio (change), and of
    either row by itself for the ratio of means (share).
    """
    rates, widths = [], Floats
    truth = {"difference": -EFFECT, "share": (MEAN - EFFECT) / MEAN, "change": cell.true_change(EFFECT)}[kind]
    for effect, value in ((EFFECT, truth), (0.0, float(kind != "difference"))):
        ours, theirs = cell.studies(studies, effect, rng)
        cases, own, other = (_drawn(size, rng) for size in (cell.cases, cell.seeds, cell.seeds))
        if kind == "share":
            resamples = _resampled(ours, cases, own) / _resampled(theirs, cases, other)
        elif kind == "difference":
            resamples = _resampled(ours - theirs, cases, own)
        else:
            ratios = (ours @ cases.T) / (theirs @ cases.T)  # (studies, seeds, resamples)
            resamples = np.einsum("nsb,bs->nb", ratios, own)
        low, high = np.percentile(resamples, [100 * ALPHA / 2, 100 - 100 * ALPHA / 2], axis=1)
        rates.append(float(((low > value) | (high < value)).mean()))
        widths = (high - low) / 2
    return Found(1 - rates[0], rates[1], float(np.median(widths)))


def _drawn(size: int, rng: np.random.Generator) -> Floats:
    return rng.multinomial(size, np.full(size, 1 / size), size=BEFORE) / size


def _resampled(table: Floats, cases: Floats, seeds: Floats) -> Floats:
    """(studies, seeds, cases) -> (studies, resamples)."""
    return np.einsum("nsb,bs->nb", table @ cases.T, seeds)


def over_cases(cell: Cell, *, studies: int, rng: np.random.Generator) -> float | None:
    """How often Wilcoxon's test over cases is below 0.05 between two rows that are the same method."""
    if cell.cases < LEAST:
        return None
    ours, theirs = cell.studies(studies, 0.0, rng)
    return float((wilcoxon((ours - theirs).mean(axis=1), axis=1).pvalue < ALPHA).mean())


def satterthwaite(cell: Cell, *, studies: int, rng: np.random.Generator) -> Found:
    """The same mean squares with Student's t and Satterthwaite's degrees of freedom."""
    ours, theirs = cell.studies(studies, 0.0, rng)
    of = difference(ours, theirs)
    assert of is not None
    parts = of.squares * of.weights
    variance = np.maximum(parts.sum(axis=-1), parts.max(axis=-1))
    freedom = np.maximum(variance**2 / (parts**2 / of.freedom).sum(axis=-1), min(of.freedom))
    half = np.sqrt(variance) * student.isf(ALPHA / 2, freedom)
    missed = float((np.abs(of.mean) > half).mean())
    return Found(1 - missed, missed, float(np.median(half)))


def mixed_model(cell: Cell, *, studies: int, rng: np.random.Generator) -> Found:
    """Statsmodels' linear mixed model, fitted by REML, with the normal interval that it gives."""
    import warnings

    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    missed, widths = 0, []
    seed, case = (index.ravel() for index in np.indices((cell.seeds, cell.cases)))
    for ours, theirs in zip(*cell.studies(studies, 0.0, rng), strict=True):
        table = pd.DataFrame({"d": (ours - theirs).ravel(), "seed": seed, "case": case, "all": 0})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # variances at the edge of what they may be
            formulas = {"seed": "0 + C(seed)", "case": "0 + C(case)"}
            fitted = MixedLM.from_formula("d ~ 1", table, groups="all", vc_formula=formulas, re_formula="0").fit()
        low, high = fitted.conf_int().loc["Intercept"]
        missed += low > 0 or high < 0
        widths.append((high - low) / 2)
    return Found(1 - missed / studies, missed / studies, float(np.median(widths)))


def cells() -> Iterator[tuple[str, Cell]]:
    """Every cell, with its regime's name."""
    for name, spread in REGIMES.items():
        for seeds in SEEDS:
            for cases in CASES:
                yield name, Cell(seeds, cases, spread)


def with_gaps(ours: Floats, theirs: Floats) -> Estimate | None:
    """Of rows of which every other case has no value under one seed, the seeds taking turns."""
    seeds, cases = ours.shape[-2:]
    holed = ours.copy()
    for case in range(0, cases, 2):
        holed[..., case % seeds, case] = np.nan
    return difference(holed, theirs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000, help="by cell and estimator")
    parser.add_argument("--before", type=int, default=1000, help="by cell, for what was there before")
    parser.add_argument("--mixed", type=int, default=0, help="also fit so many mixed models by cell (seconds each)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for kind, (of, truth) in KINDS.items():
        print(f"\n{kind}: coverage, type I error, median half-width" + " (of logarithms, now)" * (kind != "difference"))
        tested = f"{'Wilcoxon':>10}{'Satterthwaite':>22}" if kind == "difference" else ""
        print(f"{'':16}{'S':>2}{'K':>5}{'before':>22}{tested}{'now':>22}")
        for name, cell in cells():
            old = bootstrap(kind, cell, studies=options.before, rng=rng)
            new = found(of, cell, truth(cell), studies=options.studies, rng=rng)
            line = f"{name:16}{cell.seeds:2}{cell.cases:5}{_shown(old)}"
            if kind == "difference":
                old_p = over_cases(cell, studies=options.before, rng=rng)
                line += f"{'-' if old_p is None else f'{old_p:.3f}':>10}"
                line += _shown(satterthwaite(cell, studies=options.studies, rng=rng))
            if kind == "difference" and options.mixed:
                line += f"   MixedLM {_shown(mixed_model(cell, studies=options.mixed, rng=rng))}"
            print(line + _shown(new), flush=True)
    print("\nnow, otherwise: a difference with gaps, a difference and a share of rows under seeds of their own")
    for name, cell in cells():
        others: dict[str, tuple[Estimates, Callable[[float], float]]] = {
            "gaps": (with_gaps, lambda effect: -effect),
            "apart": (apart, lambda effect: -effect),
            "share apart": (log_ratio_apart, KINDS["share"][1](cell)),
        }
        shown = (found(of, cell, truth, studies=options.studies, rng=rng) for of, truth in others.values())
        print(f"{name:16}{cell.seeds:2}{cell.cases:5}{''.join(_shown(one) for one in shown)}", flush=True)


def _shown(of: Found) -> str:
    return f"{of.coverage:8.3f}{of.type_1:7.3f}{of.half_width:7.3f}"


if __name__ == "__main__":
    main()
