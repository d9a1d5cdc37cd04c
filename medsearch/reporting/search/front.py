"""The front of a search with several objectives: which trials no other beats, and how finalists hold over seeds.

With its words, and its table: trials of the front and finalists, their values, how they held over seeds, and knobs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from medsearch.core.recipes import plain
from medsearch.reporting.metrics import full_heading, full_words, metric_of
from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.search.tables import TestedRow, counted_runs, spread, summary
from medsearch.reporting.statistics import Summary, known
from medsearch.reporting.wording import NOTHING, counted, listed, score
from medsearch.study.engine.fronts import dominates, fronts, scored


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

    row: TestedRow
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


RULE = (
    "Finalists are taken from the front, first the best in {first}, then always the one farthest from those taken "
    "(objectives scaled to the front's width), and from the next front when it has no more"
)


def values_of(trial: Trial, objectives: tuple[Objective, ...]) -> str:
    """`validation SSIM 0.712 and training time (h) 4.50`."""
    pairs = zip(objectives, trial.values, strict=False)
    return listed(f"{of.words} {score(value, of.digits)}" for of, value in pairs)


def answer_of(of: Front) -> str:
    """The answer: that there is a front, from where to where it runs, and how it holds over seeds."""
    names = listed(objective.words for objective in of.objectives)
    if not of.trials:
        return f"No front yet: no trial has ended with {names}."
    many, first, last = len(of.trials), of.trials[0], of.trials[-1]
    front_of = f"{many} of {counted(len(of.compared), 'complete trial')} are beaten by no other in {names}"
    if many == 1:
        return f"One trial beats or equals all {len(of.compared)} in {names}: {_place(of, first)}."
    ends = f"It runs from {_place(of, first)} to {_place(of, last)}."
    return f"There is no one best configuration but a front: {front_of}. {ends}{_over_seeds(of)}"


def _place(of: Front, trial: Trial) -> str:
    return f"trial {trial.number} ({values_of(trial, of.objectives)})"


def _over_seeds(of: Front) -> str:
    tested = {number: one for number, one in of.repeated.items() if all(mean.n for mean in one.means)}
    if not tested:
        return ""
    beaten = [number for number, one in tested.items() if one.beaten_by]
    kept = "none falls behind another" if not beaten else f"trial {listed(beaten)} falls behind another"
    return f" Of {len(tested)} finalists repeated over seeds, {kept}." if len(tested) > 1 else ""


def front_notes(results: SearchResults) -> Iterator[str]:
    """What a caption says of a front: how many trials, how many beaten, and how finalists were taken from it."""
    of = front(results)
    if of is None:
        return
    lost = [(len(results.in_state(state)), state) for state in ("failed", "running")]
    others = listed(f"{count} {state}" for count, state in lost if count)
    yield (
        f"Pareto front over {of.ways}: {counted(len(of.compared), 'trial')} compared under seed "
        f"{results.design.seeds[0]}, {len(of.trials)} on the front, {len(of.dominated)} dominated"
        f"{f'; not compared: {others}' if others else ''}."
    )
    yield f"{RULE.format(first=of.objectives[0].words)}; rows are ordered by {of.objectives[0].words} over seeds."
    for number, one in of.repeated.items():
        if one.beaten_by:
            yield f"Over seeds, trial {number} is beaten by trial {listed(one.beaten_by)} in every objective or equal."


def head(of: Front) -> tuple[str, ...]:
    """The headings, but for the knobs'."""
    names = [objective.heading for objective in of.objectives]
    return ("Trial", "On the front", *names, *(f"{name}, over seeds" for name in names), "Finalist")


def shown(of: Front) -> tuple[Trial, ...]:
    """The trials of the table: the front, then finalists that are not on it."""
    return (*of.trials, *(trial for trial in of.dominated if trial.number in of.repeated))


def texts(of: Front, trial: Trial) -> tuple[str, ...]:
    """A line of the front under `head`, without its knobs."""
    values = (score(value, one.digits) for one, value in zip(of.objectives, trial.values, strict=True))
    repeated, on = of.repeated.get(trial.number), "yes" if trial in of.trials else "no"
    if repeated is None:
        return (str(trial.number), on, *values, *(NOTHING for _ in of.objectives), "no")
    means = (spread(mean, one.digits) for one, mean in zip(of.objectives, repeated.means, strict=True))
    place = f"yes, {counted_runs(repeated.means[0])}"
    beaten = f", beaten there by trial {listed(repeated.beaten_by)}" if repeated.beaten_by else ""
    return (str(trial.number), on, *values, *means, place + beaten)


def derived(results: SearchResults) -> dict[str, object] | None:
    """For results.json: the front, who is dominated, and finalists over seeds; None where there is no front."""
    of = front(results)
    if of is None:
        return None
    return {
        "objectives": [{"metric": one.metric, "direction": one.direction} for one in of.objectives],
        "front": [{"trial": one.number, "values": one.values, "knobs": plain(one.knobs)} for one in of.trials],
        "dominated": [one.number for one in of.dominated],
        "finalists": [
            {
                "trial": number,
                "means": [mean.mean for mean in one.means],
                "sds": [mean.sd for mean in one.means],
                "n": [mean.n for mean in one.means],
                "beaten_by": one.beaten_by,
            }
            for number, one in of.repeated.items()
        ],
    }
