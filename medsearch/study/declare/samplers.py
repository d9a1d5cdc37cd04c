"""Samplers: who proposes the next configuration. Plain data; Optuna's objects are built when it is asked.

A sampler is built anew for each proposal and seeded by the proposal's number, so its only memory is the storage, and a
search that was killed goes on as it would have.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, final

from medsearch.core.ranges import NonNegativeInt, Range, require
from medsearch.core.seeds import seed

Heeds = Literal["constraints", "values"]
"""What keeps a sampler away from a configuration that cannot be run. All of Optuna's ignore a failed trial, and propose
next to it again. TPE and the genetic algorithm rank a trial that breaks a constraint behind all others, with no value
at all. The Gaussian process looks at complete trials only; a constraint would have to be set on every one of them and
costs it a second fit, so it is given the worst value so far."""

SEEDS = 2**32  # what NumPy's legacy generators, inside Optuna, take


class Sampler(Protocol):
    """Proposes configurations."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def objectives(self) -> int | None:
        """How many objectives it can weigh at most; None: any number."""

    @property
    def heeds(self) -> Heeds:
        """What keeps it away from configurations that cannot be run."""

    def build(self, root: int, number: int, trials: int) -> Any:
        """Optuna's sampler for proposal `number` of a search of so many trials, under the root seed."""


@final
@dataclass(frozen=True, kw_only=True)
class TPE:
    """Tree-structured Parzen estimator, over all knobs jointly, aware of trials that still run.

    Of several objectives, the better trials are those of the better fronts.
    """

    startup: int | None = None
    """Random trials to begin with; None: a quarter of the search, at most 10."""
    name: Literal["TPE"] = "TPE"
    objectives: None = None
    heeds: ClassVar[Heeds] = "constraints"

    def __post_init__(self) -> None:
        """Refuse a beginning that is no number of trials."""
        require("TPE's startup", NonNegativeInt | None, self.startup)

    def build(self, root: int, number: int, trials: int) -> Any:
        """Optuna's sampler."""
        from optuna.samplers import TPESampler

        begin = _startup(self.startup, trials)
        return TPESampler(n_startup_trials=begin, multivariate=True, constant_liar=True, seed=_seed(root, number))


@final
@dataclass(frozen=True, kw_only=True)
class GP:
    """Gaussian process with expected improvement (of the front): the choice for few and dear trials."""

    startup: int | None = None
    """Random trials to begin with; None: a quarter of the search, at most 10."""
    name: Literal["GP"] = "GP"
    objectives: None = None
    heeds: ClassVar[Heeds] = "values"

    def __post_init__(self) -> None:
        """Refuse a beginning that is no number of trials."""
        require("GP's startup", NonNegativeInt | None, self.startup)

    def build(self, root: int, number: int, trials: int) -> Any:
        """Optuna's sampler."""
        from optuna.samplers import GPSampler

        begin = _startup(self.startup, trials)
        return GPSampler(n_startup_trials=begin, deterministic_objective=False, seed=_seed(root, number))


@final
@dataclass(frozen=True, kw_only=True)
class QMC:
    """A scrambled Sobol sequence: even cover of the space, for a first look and for honest marginals."""

    name: Literal["QMC"] = "QMC"
    objectives: None = None
    heeds: ClassVar[Heeds] = "constraints"

    def build(self, root: int, number: int, trials: int) -> Any:  # noqa: ARG002
        """Optuna's sampler. One seed for the whole sequence: the storage counts its points."""
        from optuna.samplers import QMCSampler, RandomSampler

        alone = RandomSampler(seed=_seed(root, 0))
        return QMCSampler(
            scramble=True, seed=_seed(root, 0), independent_sampler=alone, warn_independent_sampling=False
        )


@final
@dataclass(frozen=True, kw_only=True)
class Random:
    """Independent uniform draws."""

    name: Literal["random"] = "random"
    objectives: None = None
    heeds: ClassVar[Heeds] = "constraints"

    def build(self, root: int, number: int, trials: int) -> Any:  # noqa: ARG002
        """Optuna's sampler."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=_seed(root, number))


@final
@dataclass(frozen=True, kw_only=True)
class NSGA2:
    """A genetic algorithm that keeps what no other trial beats in every objective."""

    population: int = 20
    name: Literal["NSGA-II"] = "NSGA-II"
    objectives: None = None
    heeds: ClassVar[Heeds] = "constraints"

    def __post_init__(self) -> None:
        """Refuse a population that has no parents."""
        require("NSGA2's population", Annotated[int, Range(2)], self.population)

    def build(self, root: int, number: int, trials: int) -> Any:  # noqa: ARG002
        """Optuna's sampler."""
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.population, seed=_seed(root, number))


def _startup(declared: int | None, trials: int) -> int:
    return max(1, min(10, trials // 4)) if declared is None else declared


def _seed(root: int, number: int) -> int:
    return seed(root, "sampler", number) % SEEDS
