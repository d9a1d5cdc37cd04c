"""Samplers: who proposes the next configuration. Plain data; Optuna's objects are built when it is asked.

A sampler is built anew for each proposal and seeded by the proposal's number, so its only memory is the storage, and a
search that was killed goes on as it would have.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

from medsearch.core.ranges import NonNegativeInt, Range, require
from medsearch.core.seeds import seed

Heeds = Literal["constraints", "values"]
"""What keeps a sampler away from a configuration that cannot be run. All of Optuna's ignore a failed trial, and propose
next to it again. TPE and the genetic algorithm rank a trial that breaks a constraint behind all others, with no value
at all. The Gaussian process looks at complete trials only; a constraint would have to be set on every one of them and
costs it a second fit, so it is given the worst value so far."""

SEEDS = 2**32  # what NumPy's legacy generators, inside Optuna, take


class Sampler:
    """Proposes configurations.

    name: what the report calls it. objectives: how many it can weigh at most; None: any number. heeds: what keeps it
    away from configurations that cannot be run.
    """

    name: ClassVar[str]
    objectives: ClassVar[int | None] = None
    heeds: ClassVar[Heeds] = "constraints"

    def build(self, root: int, number: int, trials: int) -> Any:
        """Optuna's sampler for proposal `number` (from 0) of a search of so many trials, under the root seed."""
        from optuna import samplers

        own = seed(root, "sampler", number) % SEEDS
        if isinstance(self, (TPE, GP)):
            begin = max(1, min(10, trials // 4)) if self.startup is None else self.startup
            if isinstance(self, GP):
                return samplers.GPSampler(n_startup_trials=begin, deterministic_objective=False, seed=own)
            return samplers.TPESampler(n_startup_trials=begin, multivariate=True, constant_liar=True, seed=own)
        if isinstance(self, NSGA2):
            return samplers.NSGAIISampler(population_size=self.population, seed=own)
        if isinstance(self, QMC):  # one seed for the whole sequence: the storage counts its points
            first = seed(root, "sampler", 0) % SEEDS
            alone = samplers.RandomSampler(seed=first)
            return samplers.QMCSampler(
                scramble=True, seed=first, independent_sampler=alone, warn_independent_sampling=False
            )
        return samplers.RandomSampler(seed=own)


@dataclass(frozen=True, kw_only=True)
class ModelSampler(Sampler):
    """A sampler that learns from the trials so far.

    startup: random trials to begin with; None: a quarter of the search, at most 10.

    Raises:
        BadInput: a negative startup, or one that is no integer.

    """

    startup: int | None = None

    def __post_init__(self) -> None:
        """Check the number of random trials."""
        require(f"{self.name}'s startup", NonNegativeInt | None, self.startup)


@final
class TPE(ModelSampler):
    """Tree-structured Parzen estimator, over all knobs jointly, aware of trials that still run.

    startup: random trials to begin with; None: a quarter of the search, at most 10. Of several objectives, the better
    trials are those of the better fronts.
    """

    name = "TPE"


@final
class GP(ModelSampler):
    """Gaussian process with expected improvement (of the front): the choice for few and dear trials.

    startup: random trials to begin with; None: a quarter of the search, at most 10.
    """

    name = "GP"
    heeds = "values"


@final
@dataclass(frozen=True)
class QMC(Sampler):
    """A scrambled Sobol sequence: even cover of the space, for a first look and for honest marginals."""

    name = "QMC"


@final
@dataclass(frozen=True)
class Random(Sampler):
    """Independent draws, uniform over each domain; what a search that learns nothing would find."""

    name = "random"


@final
@dataclass(frozen=True, kw_only=True)
class NSGA2(Sampler):
    """NSGA-II, a genetic algorithm that keeps what no other trial beats in every objective.

    population: trials of each generation, 2 or more.

    Raises:
        BadInput: a population that has no parents.

    """

    population: int = 20
    name = "NSGA-II"

    def __post_init__(self) -> None:
        """Check that the population has parents."""
        require("NSGA2's population", Annotated[int, Range(2)], self.population)
