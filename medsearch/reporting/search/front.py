"""The front of a search with several objectives: which trials no other beats, and how finalists hold over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from medsearch.reporting.metrics import full_heading, full_words, metric_of
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import Row, summary
from medsearch.reporting.statistics import Summary, known
from medsearch.reporting.wording import listed
from medsearch.study.fronts import dominates, fronts, scored


@final
@dataclass(frozen=True)
class Objective:
    """One of several."""

    metric: str
    direction: str

    @property
    def heading(self) -> str:
        """With its unit."""
        return full_heading(self.metric)

    @property
    def words(self) -> str:
        """Within a sentence."""
        return full_words(self.metric)

    @property
    def better(self) -> str:
        """Which way, as a word."""
        return "more" if self.direction == "maximize" else "less"

    @property
    def digits(self) -> int:
        """After the point."""
        return metric_of(self.metric).digits


@final
@dataclass(frozen=True)
class Repeated:
    """A finalist over its seeds. beaten_by: trials whose means are at least as good in all objectives."""

    row: Row
    means: tuple[Summary, ...]
    beaten_by: tuple[int, ...] = ()


@final
@dataclass(frozen=True)
class Front:
    """What several objectives have come to."""

    results: SearchResults

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """In their order."""
        return tuple(Objective(*of) for of in self.results.design.objectives.items())

    @cached_property
    def compared(self) -> tuple[Trial, ...]:
        """The trials that came to their end with a value of every objective, by number."""
        return tuple(trial for trial in self.results.in_state("complete") if self._whole(trial.values))

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Those that no other beats, the best in the first objective first."""
        best = next(iter(fronts({trial.number: self._score(trial.values) for trial in self.compared})), ())
        found = (trial for trial in self.compared if trial.number in best)
        return tuple(sorted(found, key=lambda trial: (*(-of for of in self._score(trial.values)), trial.number)))

    @property
    def dominated(self) -> tuple[Trial, ...]:
        """Those that another one beats."""
        return tuple(trial for trial in self.compared if trial not in self.trials)

    @cached_property
    def repeated(self) -> Mapping[int, Repeated]:
        """The finalists by number, as far as they have run under any seed."""
        places = range(len(self.objectives))
        rows = {row.trial: row for row in summary(self.results) if row.trial is not None}
        found = {number: (row, tuple(row.objective(place) for place in places)) for number, row in rows.items()}
        means = {
            number: self._score(tuple(float(of.mean or 0.0) for of in over))
            for number, (_, over) in found.items()
            if all(of.n for of in over)
        }
        beaten = {n: tuple(o for o in means if dominates(means[o], means[n])) for n in means}
        return {number: Repeated(row, over, beaten.get(number, ())) for number, (row, over) in found.items()}

    @property
    def ways(self) -> str:
        """`validation SSIM (more is better) and training time (h) (less is better)`."""
        return listed(f"{of.words} ({of.better} is better)" for of in self.objectives)

    def _score(self, values: tuple[float, ...]) -> tuple[float, ...]:
        return scored(values, self.results.design.objectives.values())

    def _whole(self, values: tuple[float, ...]) -> bool:
        return len(values) == len(self.objectives) and all(known(value) for value in values)


def front(results: SearchResults) -> Front | None:
    """The front; None of a search that has one objective."""
    return Front(results) if results.design.several else None
