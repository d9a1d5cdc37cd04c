"""The end of the page: every run, failed ones with their reason, and where the numbers come from."""

from medsearch.reporting.elements import (
    data_facts,
    facts,
    folded,
    heading,
    program_facts,
    run_row,
    state,
    tested,
    words,
)
from medsearch.reporting.markup import Child, Markup, tag
from medsearch.reporting.metrics import full_heading, metric_of
from medsearch.reporting.search.columns import of_runs
from medsearch.reporting.search.results import Design, SearchResults, Trial
from medsearch.reporting.search.tables import names_of, summary
from medsearch.reporting.wording import NOTHING, counted, duration, listed, number, score, selection_rule


def provenance(results: SearchResults) -> Markup:
    """Where the numbers come from, as a list of facts."""
    origin = results.provenance
    told = (
        *data_facts(origin),
        ("Task", results.design.task),
        *_search(results),
        *program_facts(origin, results.trained),
    )
    return tag("section", heading("provenance", "Provenance"), facts(told))


def _search(results: SearchResults) -> tuple[tuple[str, Child], ...]:
    design, names = results.design, names_of(results)
    fixed = listed(f"{names[path].text} = {number(value)}" for path, value in design.fixed.items())
    spent = [run.seconds for row in summary(results) for run in row.replicates]
    seconds = sum(value for value in (*spent, *(trial.seconds for trial in results.trials)) if value is not None)
    return (
        ("Selection rule", f"{design.selection}: {selection_rule(design.selection, results.provenance.truth)}"),
        ("Sampler", design.sampler or NOTHING),
        ("Seeds", listed(design.seeds)),
        ("Fixed by the study", words(fixed) if fixed else "nothing"),
        ("Trained once", listed(design.shared_stages) or "nothing"),
        ("Cost as declared", design.cost or NOTHING),
        ("Time in runs", f"{duration(seconds)}, summed over trials and tested runs"),
    )


def every_run(results: SearchResults) -> Markup:
    """Every tested run and every trial, failed ones with their reason; folded."""
    scores, digits = of_runs(results), results.design.value_digits
    metrics = [column.metric for column in scores]
    runs = [
        tested(row.title, run, metrics, score(run.value, digits)) for row in summary(results) for run in row.replicates
    ]
    headings = (column.heading for column in scores)
    head = ("Row", "Seed", "State", *headings, results.design.value_name, "Time")
    searched = tuple(dict.fromkeys(path for trial in results.trials for path in trial.knobs))
    names = [Markup(names_of(results)[path].html) for path in searched]
    values = [full_heading(metric) for metric in results.design.objectives] or ["Value"]
    trials = [_trial(trial, searched, results.design) for trial in results.trials]
    return tag(
        "section",
        heading("runs", "Every run"),
        folded(f"{counted(len(runs), 'tested run')} of finalists and references", head, runs),
        folded(counted(len(trials), "trial"), ("Trial", "State", *values, *names, "Time"), trials),
    )


def _trial(trial: Trial, searched: tuple[str, ...], design: Design) -> Markup:
    told = state(trial.state, f" at {trial.rung}" if trial.state == "cut" and trial.rung is not None else "")
    knobs = (number(trial.knobs[path]) if path in trial.knobs else NOTHING for path in searched)
    row = (told, *_values(trial, design), *knobs)
    return run_row(str(trial.number), *row, seconds=trial.seconds, reason=trial.reason)


def _values(trial: Trial, design: Design) -> list[str]:
    """Of every objective; of one, what it was when it was cut."""
    if not design.several:
        return [score(trial.value, design.value_digits)]
    values = trial.values or [None] * len(design.objectives)
    return [score(of, metric_of(metric).digits) for metric, of in zip(design.objectives, values, strict=False)]
