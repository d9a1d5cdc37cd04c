"""The end of the page: every run, failed ones with their reason, and where the numbers come from."""

from collections.abc import Sequence

from medsearch.reporting.markup import Child, Markup, joined, tag
from medsearch.reporting.results import Replicate, SearchResults, Trial
from medsearch.reporting.sections import heading, table, words
from medsearch.reporting.tables import names_of, summary
from medsearch.reporting.wording import NOTHING, SELECTION, counted, duration, listed, number, score


def provenance(results: SearchResults) -> Markup:
    """Where the numbers come from, as a list of facts."""
    facts = (*_data(results), *_search(results), *_program(results))
    entries = (joined([tag("dt", name), tag("dd", value)]) for name, value in facts)
    return tag("section", heading("provenance", "Provenance"), tag("dl", *entries, class_="facts"))


def _data(results: SearchResults) -> tuple[tuple[str, Child], ...]:
    origin = results.provenance
    kind = "synthetic phantom, no reproduction of a published number" if origin.phantom else "as given"
    skipped = (tag("div", f"{case.subject}: {case.problem}") for case in origin.skipped)
    return (
        ("Cohort", f"{origin.cohort}, {counted(origin.subjects, 'subject')} ({kind})"),
        ("Data fingerprint", tag("code", origin.data_fingerprint)),
        ("Skipped cases", joined(skipped) if origin.skipped else "none"),
        ("Task", results.design.task),
    )


def _search(results: SearchResults) -> tuple[tuple[str, Child], ...]:
    design, names = results.design, names_of(results)
    fixed = listed(f"{names[path].text} = {number(value)}" for path, value in design.fixed.items())
    spent = [run.seconds for row in summary(results) for run in row.replicates]
    seconds = sum(value for value in (*spent, *(trial.seconds for trial in results.trials)) if value is not None)
    return (
        ("Selection rule", f"{design.selection}: {SELECTION[design.selection]}"),
        ("Sampler", design.sampler or NOTHING),
        ("Seeds", listed(design.seeds)),
        ("Fixed by the study", words(fixed) if fixed else "nothing"),
        ("Trained once", listed(design.shared_stages) or "nothing"),
        ("Cost as declared", design.cost or NOTHING),
        ("Time in runs", f"{duration(seconds)}, summed over trials and tested runs"),
    )


def _program(results: SearchResults) -> tuple[tuple[str, Child], ...]:
    origin = results.provenance
    versions = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    return (
        ("Scale", origin.scale),
        ("Git commit", tag("code", origin.git_commit) if origin.git_commit else "none recorded"),
        ("Versions", versions or NOTHING),
        ("Machine", origin.machine or NOTHING),
        ("Report made", origin.created or NOTHING),
    )


def every_run(results: SearchResults) -> Markup:
    """Every tested run and every trial, failed ones with their reason; folded."""
    tested = [_tested(row.title, run) for row in summary(results) for run in row.replicates]
    head = (
        "Row",
        "Seed",
        "State",
        "Test Dice",
        "whole volume",
        "pooled voxels",
        "ASSD (mm)",
        "Validation Dice",
        "Time",
    )
    searched = tuple(dict.fromkeys(path for trial in results.trials for path in trial.knobs))
    names = [Markup(names_of(results)[path].html) for path in searched]
    trials = [_trial(trial, searched) for trial in results.trials]
    return tag(
        "section",
        heading("runs", "Every run"),
        _folded(f"{counted(len(tested), 'tested run')} of finalists and references", head, tested),
        _folded(counted(len(trials), "trial"), ("Trial", "State", "Value", *names, "Time"), trials),
    )


def _folded(title: str, head: Sequence[Child], rows: Sequence[Markup]) -> Markup | None:
    return tag("details", tag("summary", title), table(head, rows, style="small")) if rows else None


def _tested(title: str, run: Replicate) -> Markup:
    digits = {"dice": 3, "dice_volume": 3, "dice_micro": 3, "assd": 2}
    metrics = (score(run.metrics.get(f"test/{name}"), shown) for name, shown in digits.items())
    return _run_row(title, str(run.seed), _state(run.state), *metrics, score(run.value), run=run)


def _trial(trial: Trial, searched: tuple[str, ...]) -> Markup:
    state = _state(trial.state, f" at {trial.rung}" if trial.state == "cut" and trial.rung is not None else "")
    values = (number(trial.knobs[path]) if path in trial.knobs else NOTHING for path in searched)
    return _run_row(str(trial.number), state, score(trial.value), *values, run=trial)


def _run_row(name: str, *cells: Child, run: Trial | Replicate) -> Markup:
    """A run with its time, and the reason of its failure on a line of its own."""
    row = [tag("th", name, scope="row"), *(tag("td", cell, class_="n") for cell in (*cells, duration(run.seconds)))]
    if not run.reason:
        return tag("tr", *row)
    reason = tag("td", run.reason, class_="bad", colspan=len(row))
    return joined([tag("tr", *row, class_="open"), tag("tr", reason, class_="reason")])


def _state(state: str, more: str = "") -> Markup:
    return tag("span", state + more, class_={"cut": "caution", "failed": "bad"}.get(state))
