"""The report of a search as a document, from which its page, files and summary are rendered."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from medsearch.reporting import document as doc
from medsearch.reporting.charts import Chart
from medsearch.reporting.document import (
    Block,
    ChartFigure,
    Document,
    Heading,
    Notes,
    Paragraph,
    Part,
    Section,
    Table,
    TableCell,
)
from medsearch.reporting.metrics import full_heading, full_words, metric_of
from medsearch.reporting.provenance import badges, data_facts, program_facts, run_row, state
from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.search import front as fronts
from medsearch.reporting.search.charts import drawable
from medsearch.reporting.search.early_stopping import CROSSING, foretelling, replays, rungs, verdicts
from medsearch.reporting.search.front import Front, front, front_notes
from medsearch.reporting.search.narrative import answer, caption, unfinished, warnings
from medsearch.reporting.search.sheets import front_csv, knobs_csv, record, table_csv
from medsearch.reporting.search.tables import (
    DICE,
    KnobRow,
    MetricColumn,
    TestedRow,
    best_trial,
    counted_runs,
    gain,
    names_of,
    of_runs,
    other_knobs,
    runs,
    share_cell,
    shares,
    spread,
    summary,
    tested,
    weights,
)
from medsearch.reporting.variance_components import CONFIDENCE, Interval
from medsearch.reporting.wording import (
    NOTHING,
    counted,
    duration,
    listed,
    number,
    percent,
    score,
    selection_rule,
    settings,
    slug,
)

SHARE, NARROW_SHARE = "Share of target supervised", "Share"  # a column of an article is narrow
KNOB_HEADINGS = ("", "Best (measured)", "Paper", "Best, normalised", "Paper, normalised")
TONES = {"could": "bad", "could not": "good", "unknown": "caution"}
PARALLEL, FRONT = "parallel_coordinates", "pareto_front"
CAPTIONS = {
    "history": ("History", "The value that the sampler was told of each trial, and the best so far."),
    PARALLEL: (
        "Parallel coordinates",
        "Each line is a trial, over its knobs to its value. A cut trial ends at the value it had when it was cut.",
    ),
    "importances": (
        "Importances",
        "Optuna's estimate of how much each knob explains of the differences between trials. "
        "From few trials it is a hint, not a finding.",
    ),
}


def document(results: SearchResults, folder: Path) -> Document:
    """What `results` say, finished or not; pictures are found from `folder`."""
    design, told = results.design, (answer(results), warnings(results), caption(results))
    charts = {chart.name: chart for chart in drawable(results)}
    rows = (*weights(results), *other_knobs(results))
    best = next((row for row in summary(results) if row.kind == "best"), None)
    table, front_of = summary_table(results, summary(results), best), _front_table(results)
    knobs = doc.text_table(KNOB_HEADINGS, ((row.knob, *knob_cells(row)) for row in rows))
    sheets = {"table.csv": table_csv(results), "knobs.csv": knobs_csv(results)}
    sheets = ({"front.csv": front_csv(results)} if design.several else {}) | sheets
    return Document(
        name=design.study,
        question=design.question,
        answer=told[0],
        badges=badges(
            [results.provenance], [design.selection], finished=not unfinished(results), scale=results.provenance.scale
        ),
        tiles=tuple(_tiles(results)),
        warnings=told[1],
        sections=tuple(_sections(results, charts, (*sheets, "table.md", "table.tex", "results.json"), folder)),
        created=results.provenance.created,
        tables=(table, *front_of, knobs),
        notes=told[2],
        article=tuple(_article(results, table, knobs, front_of)),
        summary=(
            *doc.paragraphs(told[:1], "answer"),
            *doc.paragraphs(told[1], "warning"),
            table,
            *front_of,
            *([knobs] if rows else []),
            *doc.paragraphs(told[2], "note"),
        ),
        sheets=sheets,
        figures=charts,
        record=record(results),
    )


def _sections(
    results: SearchResults, charts: dict[str, Chart], files: tuple[str, ...], folder: Path
) -> Iterator[Section]:
    """Of the page."""
    rows = summary(results)
    table = _result_table(results, rows) if rows else None
    yield Section("Result", "Result", blocks=(table, Notes(caption(results)), doc.Files(files)))
    of = front(results)
    if of is not None:
        lead = f"What no trial beats in all of {of.ways}: whoever wants more of one gives up some of another."
        title = "Pareto front: every trial by its first two objectives, the front, and finalists' means over seeds"
        figure = ChartFigure(name=FRONT, title=title, chart=charts[FRONT]) if FRONT in charts else None
        notes = Notes(tuple(front_notes(results)))
        yield Section("Front", "Pareto front", lead, (figure, *_front_table(results), notes))
    yield from _knob_section(results)
    found = [(charts[name], *CAPTIONS[name]) for name in CAPTIONS if name in charts]
    if found:
        why = results.no_importances
        missing = (Heading("Importances"), Paragraph((why,))) if why else ()
        blocks: list[Block] = []
        for chart, title, words in found:
            figure = ChartFigure(name=chart.name, title=title, chart=chart, follow=chart.name == PARALLEL)
            blocks += [Heading(title), Paragraph((words,)), figure]
        yield Section("Search", "How the search went", blocks=(*blocks, *missing))
    if "learning_curves" in charts:
        lead = f"{results.design.value_name} of every trial by epoch of the searched stage. "
        lead += "A pointer over a curve dims the others."
        curves = ChartFigure(
            name="learning_curves", title="Learning curves", chart=charts["learning_curves"], follow=True
        )
        yield Section("Curves", "Learning curves, and what was cut", lead, (curves, *_early_stopping(results)))
    if results.pictures:
        yield Section("Pictures", "Pictures", blocks=doc.galleries(results.pictures, folder))
    yield Section("Runs", "Every run", blocks=tuple(_runs(results)))
    yield Section("Provenance", "Provenance", blocks=(doc.facts(_facts(results)),))


def _tiles(results: SearchResults) -> Iterator[tuple[str, str, str]]:
    best = next((row for row in summary(results) if row.kind == "best"), None)
    of, nothing = front(results), True
    if of is not None and of.trials:
        nothing = False
        yield "On the front", f"{len(of.trials)} of {len(of.compared)}", "trials that no other beats"
    if best is not None and best.tested.n:
        known, nothing = metric_of(best.leading), False
        yield f"Best {full_words(best.leading)}", spread(best.tested, known.digits), runs(best.tested)
        if best.share is not None:
            ends = "{:.0f}–{:.0f}%".format(*(100 * end for end in best.share.bounds)) if best.share.bounds else ""
            yield "Of target supervised", percent(best.share.estimate), _interval(best.share, ends)
        compared = gain(results)
        if compared is not None and compared.effect is not None:
            effect, fewer = compared.effect, known.digits - 1
            ends = " to ".join(f"{end:+.{fewer}f}" for end in effect.bounds or ())
            yield "Above no adaptation", f"{effect.estimate:+.{known.digits}f}", _interval(effect, ends)
    leader = best_trial(results)
    if leader is not None and nothing:
        name = f"Best {results.design.value_words}{' so far' if unfinished(results) else ''}"
        yield name, score(leader.value, results.design.value_digits), f"trial {leader.number}, not tested"
    ended = sum(trial.state != "running" for trial in results.trials)
    states = ("complete", "cut", "failed", "running")
    counts = ((len([t for t in results.trials if t.state == one]), one) for one in states)
    told = ", ".join(f"{count} {one}" for count, one in counts if count)
    yield "Trials", f"{ended} of {max(results.design.trials, ended)}", told


def _interval(of: Interval, bounds: str) -> str:
    """An interval with its bounds as text, or why there is none."""
    if of.wide:
        return of.reason
    return f"no interval: {of.reason}" if of.reason else f"{CONFIDENCE:.0%} interval {bounds}"


# The summary: finalists and references over seeds.


def headings(results: SearchResults) -> tuple[str, ...]:
    """The headings of the summary as text."""
    return "", *objectives(results), *(column.heading for column in tested(results)), *([SHARE] * shares(results))


def objectives(results: SearchResults) -> tuple[str, ...]:
    """The headings of what was searched by."""
    found = front(results)
    return tuple(of.heading for of in found.objectives) if found else (results.design.value_name,)


def searched_by(results: SearchResults, row: TestedRow) -> tuple[str, ...]:
    """A row's values by what was searched by, over seeds; empty for references, as `TestedRow.validation`."""
    found = front(results)
    if found is None:
        return (spread(row.validation, results.design.value_digits),)
    if row.kind == "reference":
        return tuple(NOTHING for _ in found.objectives)
    return tuple(spread(row.objective(place), of.digits) for place, of in enumerate(found.objectives))


def cells(results: SearchResults, row: TestedRow) -> tuple[str, ...]:
    """A row of the summary as text, under `headings`."""
    texts = []
    for place, column in enumerate(tested(results)):
        of = row.test(column.metric)
        text = spread(of, column.digits)
        lacks = f" (n={of.n})" if 0 < of.n != row.tested.n else ""
        texts.append(f"{text}{lacks}" if place else f"{text} ({runs(of)})")
    return row.title, *searched_by(results, row), *texts, *([share_cell(row.share)] * shares(results))


def summary_table(results: SearchResults, rows: Iterable[TestedRow], best: TestedRow | None) -> Table:
    """The summary as text; the row `best` stands out."""
    lines = (
        doc.TableRow(cells=tuple(TableCell((text,)) for text in cells(results, row)), best=row == best) for row in rows
    )
    return Table(head=headings(results), rows=tuple(lines))


def _result_table(results: SearchResults, rows: Sequence[TestedRow]) -> Table:
    """The summary on the page, with every seed as a dot."""
    columns, scale, design = tested(results), scale_of(rows), results.design
    by = () if design.several else objectives(results)  # of several, the front's table has them
    share = [SHARE] * shares(results)
    lines = []
    for row in rows:
        more = [TableCell((share_cell(row.share),), name) for name in share]
        more += [TableCell((text,), name) for name, text in zip(by, searched_by(results, row), strict=False)]
        lines.append(measured_row(row, columns, scale=scale, more=more, best=row.kind == "best"))
    head: tuple[Part, ...] = (
        "",
        seeds_heading(rows[0].leading, scale),
        *(column.heading for column in columns),
        *share,
        *by,
    )
    return Table(head=head, rows=tuple(lines), style="stack")


def measured_row(
    row: TestedRow,
    columns: Sequence[MetricColumn],
    *,
    scale: tuple[float, float],
    more: Iterable[TableCell],
    best: bool,
    title: str = "",
) -> doc.TableRow:
    """A row on a page: its title, every seed as a dot, its test metrics, and `more` cells."""
    of, (first, *others) = row.tested, columns
    failed = doc.small(f"{of.failed} failed", tone="bad") if of.failed else None
    trial = doc.small(f"trial {row.trial}") if row.trial is not None else None
    digits = metric_of(row.leading).digits
    found = (
        doc.label(title or row.label, trial),
        doc.drawing(doc.strip(of.values, of.mean, failed=of.failed, scale=scale, digits=digits)),
        TableCell((spread(of, digits), doc.small(counted_runs(of)), failed), first.heading),
        *(TableCell((spread(row.test(column.metric), column.digits),), column.heading) for column in others),
    )
    return doc.TableRow(cells=(*found, *more), best=best)


def scale_of(rows: Sequence[TestedRow]) -> tuple[float, float]:
    """The ends of the strips: 0 to 1 for Dice, elsewhere round numbers around every value."""
    if not rows or rows[0].leading == DICE:
        return 0.0, 1.0
    return doc.rounded_ends([value for row in rows for value in row.tested.values])


def seeds_heading(metric: str, scale: tuple[float, float]) -> doc.Ruler:
    """The heading of a column of strips."""
    return doc.ruler(f"{metric_of(metric).heading}, each seed", scale)


# The front, and the knobs.


def _front_table(results: SearchResults) -> tuple[Table, ...]:
    """The trials that no other beats, and finalists; nothing where there is no front."""
    of, names = front(results), [names_of(results)[path] for path in results.design.space]
    if of is None or not of.trials:
        return ()
    texts = [*fronts.head(of), *(name.text for name in names)]
    rows = (_front_row(results, of, trial, texts) for trial in fronts.shown(of))
    return (Table(head=(*fronts.head(of), *names), rows=tuple(rows), style="small stack"),)


def _front_row(results: SearchResults, of: Front, trial: Trial, names: Sequence[str]) -> doc.TableRow:
    knobs = (number(trial.knobs.get(path)) for path in results.design.space)
    first, *rest = (*fronts.texts(of, trial), *knobs)
    repeated = of.repeated.get(trial.number)
    others = (TableCell((text,), name) for name, text in zip(names[1:], rest, strict=True))
    return doc.TableRow(cells=(doc.label(first), *others), best=repeated is not None and repeated.row.kind == "best")


def knob_cells(row: KnobRow) -> tuple[str, ...]:
    """A row of the knobs as text, under `KNOB_HEADINGS`, without the knob's name."""
    found = (NOTHING if share is None else f"{share:.3f}" for share in (row.found_share, row.published_share))
    return number(row.found) + ("" if row.searched else " (fixed)"), number(row.published), *found


def _knob_section(results: SearchResults) -> Iterator[Section]:
    """The best weights beside the published ones, and the other searched knobs."""
    weighed, others = weights(results), other_knobs(results)
    if not weighed and not others:
        return
    keys = doc.Text((doc.Text(("best ",), "key", "ours"), doc.Text(("paper",), "key")))
    head = ("Knob", "Best (measured)", "Paper", "Share of the sum, best", "paper", keys)
    sources = dict.fromkeys(row.where for row in (*weighed, *others) if row.where)
    yield Section(
        "Weights",
        "Weights found, beside the paper's" if weighed else "Knobs found",
        "Only the ratios of loss weights act, so both are also shown as shares of their sum." if weighed else "",
        (
            Table(head=head, rows=tuple(_knob_row(row) for row in (*weighed, *others)), style="stack"),
            Paragraph((f"Paper: {'; '.join(sources)}.",), "aside") if sources else None,
        ),
    )


def _knob_row(row: KnobRow) -> doc.TableRow:
    _, _, ours, paper = knob_cells(row)
    found = (
        doc.label(row.knob, doc.small(row.knob.path)),
        TableCell((number(row.found), None if row.searched else doc.small("fixed by the study")), "Best (measured)"),
        TableCell((number(row.published),), "Paper"),
        TableCell((ours,), "Share of the sum, best"),
        TableCell((paper,), "Share of the sum, paper"),
        doc.drawing(doc.Shares(row.found_share, row.published_share)),
    )
    return doc.TableRow(cells=found)


# Early stopping, every run, and where the numbers come from.


def _early_stopping(results: SearchResults) -> Iterator[Block]:
    """Each cut with its verdict, how well early values foretell final ones, and what schedulers would have done."""
    found = verdicts(results)
    judged = (
        "Judged from the curves: the largest gain from the rung to the end, among trials that finished, is what a cut "
        "trial could still have gained. The slowest starters were cut themselves, so this is evidence and no proof."
    )
    yield Heading("Could a trial that was cut have been a finalist?")
    yield Paragraph((f"{_cut_by(results)} {judged if found else ''}",))
    if found:
        yield doc.Findings(tuple((one.answer, TONES[one.answer], one.sentence) for one in found))  # type: ignore[misc]
    yield from _foretold(results)
    yield from _replayed(results)


def _cut_by(results: SearchResults) -> str:
    scheduler, number_cut = results.design.scheduler, len(results.in_state("cut"))
    if scheduler.name == "none":
        why = f" ({scheduler.because})" if scheduler.because else ""
        return f"No scheduler was used{why}, so no trial was cut."
    name = {"asha": "ASHA", "median": "Median stopping"}[scheduler.name]
    why = f", because {scheduler.because}" if scheduler.because else ""
    found = counted(number_cut, "trial") if number_cut else "no trial"
    return f"{name} with a grace period of {scheduler.grace} epochs{why}, cut {found}."


def _foretold(results: SearchResults) -> Iterator[Block]:
    longest = max((t.points[-1][0] for t in results.in_state("complete") if t.points), default=0)
    scheduler = results.design.scheduler
    epochs = rungs(scheduler.grace or max(1, longest // 4), scheduler.reduction or 2, longest)
    found = foretelling(results.trials, epochs)
    if not found:
        return
    crossing = [str(one.epoch) for one in found if one.crosses]
    text = f"At every rung the order is close to the final one (rank correlation {CROSSING} or more)."
    if crossing:
        bound = f"(rank correlation below {CROSSING})"
        text = f"Curves cross: at epoch {listed(crossing)} the order is not yet the final one {bound}."
    rows = (
        doc.TableRow(
            cells=(
                doc.label(str(one.epoch)),
                TableCell((doc.Text((f"{one.correlation:.2f}",), tone="bad" if one.crosses else ""),), "Correlation"),
                TableCell((str(one.trials),), "Trials"),
            )
        )
        for one in found
    )
    head = ("Epoch", "Rank correlation with the final value", "Finished trials")
    yield Heading("Do early values foretell final ones?")
    yield Paragraph((text,))
    yield Table(head=head, rows=tuple(rows), style="small few stack")


def _replayed(results: SearchResults) -> Iterator[Block]:
    found = replays(results)
    if not found or results.design.several:  # a front has no order to stop by
        return
    head = ("Scheduler", "Would have cut", "Finalists among them", "Epochs saved")
    rows = []
    for one in found:
        lost = f"trial {listed(one.finalists_cut)}" if one.finalists_cut else "none"
        tone = "bad" if one.finalists_cut else ""
        texts: tuple[Part, ...] = (f"{len(one.cut)} of {one.trials}", doc.Text((lost,), tone=tone), percent(one.saved))
        others = (TableCell((text,), name) for name, text in zip(head[1:], texts, strict=True))
        rows.append(doc.TableRow(cells=(doc.label(one.rule), *others)))
    yield Heading("What a scheduler would have done")
    yield Paragraph((f"Replayed in trial order on {counted(found[0].trials, 'curve')} that ran to the end.",))
    yield Table(head=head, rows=tuple(rows), style="small few stack")


def _runs(results: SearchResults) -> Iterator[Block]:
    """Every tested run and every trial, failed ones with their reason; folded."""
    design, scores = results.design, of_runs(results)
    tests = [
        run_row(
            row.title,
            str(run.seed),
            state(run.state),
            *(score(run.metrics.get(column.metric), column.digits) for column in scores),
            score(run.value, design.value_digits),
            seconds=run.seconds,
            reason=run.reason,
        )
        for row in summary(results)
        for run in row.replicates
    ]
    if tests:
        head = ("Row", "Seed", "State", *(column.heading for column in scores), design.value_name, "Time")
        title = f"{counted(len(tests), 'tested run')} of finalists and references"
        yield Table(head=head, rows=tuple(tests), folded=title, style="small")
    if results.trials:
        paths = tuple(dict.fromkeys(path for trial in results.trials for path in trial.knobs))
        names = (names_of(results)[path] for path in paths)
        values = [full_heading(metric) for metric in design.objectives] or ["Value"]
        yield Table(
            head=("Trial", "State", *values, *names, "Time"),
            rows=tuple(_trial(results, trial, paths) for trial in results.trials),
            folded=counted(len(results.trials), "trial"),
            style="small",
        )


def _trial(results: SearchResults, trial: Trial, paths: Iterable[str]) -> doc.TableRow:
    design = results.design
    values = [score(trial.value, design.value_digits)]  # of one, what it was when it was cut
    if design.several:
        told = trial.values or [None] * len(design.objectives)
        values = [score(of, metric_of(metric).digits) for metric, of in zip(design.objectives, told, strict=False)]
    at = f" at {trial.rung}" if trial.state == "cut" and trial.rung is not None else ""
    knobs = (number(trial.knobs[path]) if path in trial.knobs else NOTHING for path in paths)
    found = (state(trial.state, at), *values, *knobs)
    return run_row(str(trial.number), *found, seconds=trial.seconds, reason=trial.reason)


def _facts(results: SearchResults) -> Iterator[doc.Fact]:
    design, origin = results.design, results.provenance
    spent = [run.seconds for row in summary(results) for run in row.replicates]
    seconds = sum(value for value in (*spent, *(trial.seconds for trial in results.trials)) if value is not None)
    fixed = settings(design.fixed, names_of(results))
    yield from data_facts(origin)
    yield "Task", design.task
    yield "Selection rule", f"{design.selection}: {selection_rule(design.selection, origin.truth)}"
    yield "Sampler", design.sampler or NOTHING
    yield "Seeds", listed(design.seeds)
    yield "Fixed by the study", doc.sentence(fixed) if fixed else "nothing"
    yield "Trained once", listed(design.shared_stages) or "nothing"
    yield "Cost as declared", design.cost or NOTHING
    yield "Time in runs", f"{duration(seconds)}, summed over trials and tested runs"
    yield from program_facts(origin, results.trained)


# An article.


def _article(results: SearchResults, table: Table, knobs: Table, front_of: tuple[Table, ...]) -> Iterator[Table]:
    """The tables for LaTeX, the first with the whole caption; headings as narrow as an article's column."""
    name = f"tab:{slug(results.design.study)}"
    by = (name.replace("Validation", "Val.") for name in objectives(results))
    narrow = (*(column.narrow for column in tested(results)), *([NARROW_SHARE] * shares(results)))
    words = " ".join([answer(results), *warnings(results), *caption(results)])
    yield replace(table, head=("", *by, *narrow), caption=words, label=name)
    normalised = (
        "Knobs of the best configuration beside the published ones. "
        "Loss weights are normalised to sum 1, since only their ratios act."
    )
    yield replace(knobs, caption=normalised, label=f"{name}-knobs")
    told = f"{results.design.study}: the trials that no other beats in all objectives, and finalists."
    yield from (replace(one, caption=told, label=f"{name}-front") for one in front_of)
