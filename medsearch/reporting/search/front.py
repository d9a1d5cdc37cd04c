"""The front of a search with several objectives: which trials no other beats, and how finalists hold over seeds.

With its words, and its table: trials of the front and finalists, their values, how they held over seeds, and knobs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from medsearch.core.recipes import plain
from medsearch.reporting.metrics import full_heading
from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.search.tables import MetricColumn, TestedRow, counted_runs, spread, summary
from medsearch.reporting.statistics import Summary, known
from medsearch.reporting.wording import NOTHING, counted, listed, score
from medsearch.study.engine.ranking import dominates, fronts, scored

RULE = (
    "Finalists are taken from the front, first the best in {first}, then always the one farthest from those taken "
    "(objectives scaled to the front's width), and from the next front when it has no more"
)


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
    """What a search with several objectives has come to."""

    results: SearchResults

    @cached_property
    def objectives(self) -> tuple[MetricColumn, ...]:
        """The objectives in the study's order; the first one ranks."""
        given = self.results.design.objectives.items()
        return tuple(MetricColumn(metric, full_heading(metric), direction) for metric, direction in given)

    @cached_property
    def compared(self) -> tuple[Trial, ...]:
        """The trials that came to their end with a value of every objective, by number."""
        complete, count = self.results.in_state("complete"), len(self.objectives)
        return tuple(t for t in complete if len(t.values) == count and all(known(value) for value in t.values))

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Those that no other beats, the best in the first objective first."""
        scores = {
            trial.number: scored(trial.values, self.results.design.objectives.values()) for trial in self.compared
        }
        best = next(iter(fronts(scores)), ())
        found = (trial for trial in self.compared if trial.number in best)
        return tuple(sorted(found, key=lambda trial: (*(-of for of in scores[trial.number]), trial.number)))

    @property
    def dominated(self) -> tuple[Trial, ...]:
        """The compared trials that another one beats: as good in every objective, better in one."""
        return tuple(trial for trial in self.compared if trial not in self.trials)

    @cached_property
    def repeated(self) -> Mapping[int, Repeated]:
        """The finalists by number, as far as they have run under any seed."""
        places, directions = range(len(self.objectives)), self.results.design.objectives.values()
        rows = {row.trial: row for row in summary(self.results) if row.trial is not None}
        over = {number: tuple(row.objective(place) for place in places) for number, row in rows.items()}
        means = {
            number: scored(tuple(float(mean.mean or 0.0) for mean in means), directions)
            for number, means in over.items()
            if all(mean.n for mean in means)
        }
        beaten = {number: tuple(o for o in means if dominates(means[o], means[number])) for number in means}
        return {number: Repeated(row, over[number], beaten.get(number, ())) for number, row in rows.items()}

    @property
    def ways(self) -> str:
        """`validation SSIM (more is better) and training time (h) (less is better)`."""
        return listed(f"{objective.words} ({objective.better} is better)" for objective in self.objectives)


def front(results: SearchResults) -> Front | None:
    """The front; None of a search that has one objective."""
    return Front(results) if results.design.several else None


def answer_of(of: Front) -> str:
    """The answer: that there is a front, from where to where it runs, and how it holds over seeds."""
    names = listed(objective.words for objective in of.objectives)
    if not of.trials:
        return f"No front yet: no trial has ended with {names}."
    ends = []  # `trial 3 (validation SSIM 0.712 and training time (h) 4.50)`
    for trial in (of.trials[0], of.trials[-1]):
        pairs = zip(of.objectives, trial.values, strict=False)
        values = listed(f"{objective.words} {score(value, objective.digits)}" for objective, value in pairs)
        ends.append(f"trial {trial.number} ({values})")
    if len(of.trials) == 1:
        return f"One trial beats or equals all {len(of.compared)} in {names}: {ends[0]}."
    tested = {number: finalist for number, finalist in of.repeated.items() if all(mean.n for mean in finalist.means)}
    beaten = [number for number, finalist in tested.items() if finalist.beaten_by]
    kept = "none falls behind another" if not beaten else f"trial {listed(beaten)} falls behind another"
    over_seeds = f" Of {len(tested)} finalists repeated over seeds, {kept}." if len(tested) > 1 else ""
    return (
        f"There is no one best configuration but a front: {len(of.trials)} of "
        f"{counted(len(of.compared), 'complete trial')} are beaten by no other in {names}. "
        f"It runs from {ends[0]} to {ends[1]}.{over_seeds}"
    )


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
    for number, finalist in of.repeated.items():
        if finalist.beaten_by:
            others = listed(finalist.beaten_by)
            yield f"Over seeds, trial {number} is beaten by trial {others} in every objective or equal."


def head(of: Front) -> tuple[str, ...]:
    """The headings of the table of the front, to which those of the knobs are added."""
    names = [objective.heading for objective in of.objectives]
    return ("Trial", "On the front", *names, *(f"{name}, over seeds" for name in names), "Finalist")


def shown(of: Front) -> tuple[Trial, ...]:
    """The trials of the table: the front, then finalists that are not on it."""
    return (*of.trials, *(trial for trial in of.dominated if trial.number in of.repeated))


def texts(of: Front, trial: Trial) -> tuple[str, ...]:
    """A line of the front under `head`, without its knobs."""
    values = (score(value, objective.digits) for objective, value in zip(of.objectives, trial.values, strict=True))
    repeated, on = of.repeated.get(trial.number), "yes" if trial in of.trials else "no"
    if repeated is None:
        return (str(trial.number), on, *values, *(NOTHING for _ in of.objectives), "no")
    means = (spread(mean, objective.digits) for objective, mean in zip(of.objectives, repeated.means, strict=True))
    beaten = f", beaten there by trial {listed(repeated.beaten_by)}" if repeated.beaten_by else ""
    return (str(trial.number), on, *values, *means, f"yes, {counted_runs(repeated.means[0])}{beaten}")


def derived(results: SearchResults) -> dict[str, object] | None:
    """For results.json: the front, who is dominated, and finalists over seeds; None where there is no front."""
    of = front(results)
    if of is None:
        return None
    return {
        "objectives": [{"metric": one.metric, "direction": one.direction} for one in of.objectives],
        "front": [{"trial": trial.number, "values": trial.values, "knobs": plain(trial.knobs)} for trial in of.trials],
        "dominated": [trial.number for trial in of.dominated],
        "finalists": [
            {
                "trial": number,
                "means": [mean.mean for mean in finalist.means],
                "sds": [mean.sd for mean in finalist.means],
                "n": [mean.n for mean in finalist.means],
                "beaten_by": finalist.beaten_by,
            }
            for number, finalist in of.repeated.items()
        ],
    }
