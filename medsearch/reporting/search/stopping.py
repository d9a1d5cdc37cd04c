"""The page's account of early stopping: each cut judged, and what rungs and schedulers are worth here."""

from medsearch.reporting.elements import cell, table, words
from medsearch.reporting.markup import Markup, joined, tag
from medsearch.reporting.search.cuts import CROSSING, Foretelling, foretelling, verdicts
from medsearch.reporting.search.replay import Replay, replays, rungs
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.wording import counted, listed, percent


def cuts(results: SearchResults) -> Markup:
    """Each cut with its verdict, how well early values foretell final ones, and what schedulers would have done."""
    found = verdicts(results)
    kinds = {"could": "bad", "could not": "good", "unknown": "caution"}
    lines = (
        tag("li", tag("span", one.answer, class_=f"badge {kinds[one.answer]}"), tag("span", words(one.sentence)))
        for one in found
    )
    judged = (
        "Judged from the curves: the largest gain from the rung to the end, among trials that finished, is what a cut "
        "trial could still have gained. The slowest starters were cut themselves, so this is evidence and no proof."
    )
    return joined(
        [
            tag("h3", "Could a trial that was cut have been a finalist?"),
            tag("p", _cut_by(results), " ", judged if found else None, class_="lead"),
            tag("ul", *lines, class_="verdicts") if found else None,
            _foretold(results),
            _replayed(results),
        ]
    )


def _cut_by(results: SearchResults) -> str:
    scheduler, number_cut = results.design.scheduler, len(results.in_state("cut"))
    if scheduler.name == "none":
        why = f" ({scheduler.because})" if scheduler.because else ""
        return f"No scheduler was used{why}, so no trial was cut."
    name = {"asha": "ASHA", "median": "Median stopping"}[scheduler.name]
    why = f", because {scheduler.because}" if scheduler.because else ""
    found = counted(number_cut, "trial") if number_cut else "no trial"
    return f"{name} with a grace period of {scheduler.grace} epochs{why}, cut {found}."


def _foretold(results: SearchResults) -> Markup | None:
    longest = max((t.points[-1][0] for t in results.in_state("complete") if t.points), default=0)
    scheduler = results.design.scheduler
    epochs = rungs(scheduler.grace or max(1, longest // 4), scheduler.reduction or 2, longest)
    found = foretelling(results.trials, epochs)
    if not found:
        return None
    crossing = [str(one.epoch) for one in found if one.crosses]
    text = f"At every rung the order is close to the final one (rank correlation {CROSSING} or more)."
    if crossing:
        bound = f"(rank correlation below {CROSSING})"
        text = f"Curves cross: at epoch {listed(crossing)} the order is not yet the final one {bound}."
    head = ("Epoch", "Rank correlation with the final value", "Finished trials")
    return joined(
        [
            tag("h3", "Do early values foretell final ones?"),
            tag("p", text, class_="lead"),
            table(head, [_foretelling_row(one) for one in found], style="small few stack"),
        ]
    )


def _foretelling_row(one: Foretelling) -> Markup:
    value = tag("span", f"{one.correlation:.2f}", class_="bad" if one.crosses else None)
    return tag(
        "tr", tag("th", str(one.epoch), scope="row"), cell("Correlation", value), cell("Trials", str(one.trials))
    )


def _replayed(results: SearchResults) -> Markup | None:
    found = replays(results)
    if not found or results.design.several:  # a front has no order to stop by
        return None
    head = ("Scheduler", "Would have cut", "Finalists among them", "Epochs saved")
    lead = f"Replayed in trial order on {counted(found[0].trials, 'curve')} that ran to the end."
    return joined(
        [
            tag("h3", "What a scheduler would have done"),
            tag("p", lead, class_="lead"),
            table(head, [_replay_row(one) for one in found], style="small few stack"),
        ]
    )


def _replay_row(one: Replay) -> Markup:
    lost = f"trial {listed(one.finalists_cut)}" if one.finalists_cut else "none"
    return tag(
        "tr",
        tag("th", one.rule, scope="row"),
        cell("Would have cut", f"{len(one.cut)} of {one.trials}"),
        cell("Finalists among them", tag("span", lost, class_="bad" if one.finalists_cut else None)),
        cell("Epochs saved", percent(one.saved)),
    )
