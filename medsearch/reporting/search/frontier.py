"""The front as a table: trials that no other beats, and finalists; values, how they held over seeds, and knobs."""

from medsearch.core.recipes import plain
from medsearch.reporting.elements import cell, table
from medsearch.reporting.markup import Child, Markup, tag
from medsearch.reporting.search.front import Front, front
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import counted_runs, names_of, spread
from medsearch.reporting.wording import NOTHING, listed, number, score


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


def knobs_of(results: SearchResults, trial: Trial) -> tuple[str, ...]:
    """A trial's searched knobs, in the order of the space."""
    return tuple(number(trial.knobs.get(path)) for path in results.design.space)


def lines(results: SearchResults) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The whole table as text: headings and lines; nothing where there is no front."""
    of, names = front(results), names_of(results)
    if of is None or not of.trials:
        return (), ()
    heads = (*head(of), *(names[path].text for path in results.design.space))
    return heads, tuple((*texts(of, trial), *knobs_of(results, trial)) for trial in shown(of))


def drawn(results: SearchResults) -> Markup | None:
    """The table for the page."""
    of, names = front(results), names_of(results)
    if of is None or not of.trials:
        return None
    heads: list[Child] = [*head(of), *(Markup(names[path].html) for path in results.design.space)]
    words = [*head(of), *(names[path].text for path in results.design.space)]
    rows = [
        tag(
            "tr",
            tag("th", first, scope="row"),
            *(cell(name, text) for name, text in zip(words[1:], rest, strict=True)),
            class_="best" if trial.number in of.repeated and of.repeated[trial.number].row.kind == "best" else None,
        )
        for trial in shown(of)
        for first, *rest in [(*texts(of, trial), *knobs_of(results, trial))]
    ]
    return table(heads, rows, style="small stack")


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
