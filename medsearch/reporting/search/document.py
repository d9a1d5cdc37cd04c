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
from medsearch.reporting.results import SearchResults
from medsearch.reporting.search import front as fronts
from medsearch.reporting.search.charts import drawable
from medsearch.reporting.search.early_stopping import CROSSING, foretelling, replays, rungs, verdicts
from medsearch.reporting.search.front import front, front_notes
from medsearch.reporting.search.narrative import answer, caption, unfinished, warnings
from medsearch.reporting.search.sheets import front_csv, knobs_csv, record, table_csv
from medsearch.reporting.search.tables import (
    DICE,
    KnobRow,
    MetricColumn,
    TestedRow,
    best_row,
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

SHARE = "Share of target supervised"
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
    design, texts = results.design, (answer(results), warnings(results), caption(results))
    charts = {chart.name: chart for chart in drawable(results)}
    knob_rows = (*weights(results), *other_knobs(results))
    best = best_row(results)
    table, front_tables = summary_table(results, summary(results), best), _front_table(results)
    knobs = doc.text_table(KNOB_HEADINGS, ((row.knob, *knob_cells(row)) for row in knob_rows))
    sheets = {"table.csv": table_csv(results), "knobs.csv": knobs_csv(results)}
    sheets = ({"front.csv": front_csv(results)} if design.several else {}) | sheets
    # an article's column is narrow
    label, by = f"tab:{slug(design.study)}", (name.replace("Validation", "Val.") for name in _objectives(results))
    narrow = ("", *by, *(column.narrow for column in tested(results)), *(["Share"] * shares(results)))
    normalised = (
        "Knobs of the best configuration beside the published ones. "
        "Loss weights are normalised to sum 1, since only their ratios act."
    )
    of_front = f"{design.study}: the trials that no other beats in all objectives, and finalists."
    return Document(
        name=design.study,
        question=design.question,
        answer=texts[0],
        badges=badges(
            [results.provenance], [design.selection], finished=not unfinished(results), scale=results.provenance.scale
        ),
        tiles=tuple(_tiles(results)),
        warnings=texts[1],
        sections=tuple(_sections(results, charts, (*sheets, "table.md", "table.tex", "results.json"), folder)),
        created=results.provenance.created,
        tables=(table, *front_tables, knobs),
        notes=texts[2],
        article=(
            replace(table, head=narrow, caption=" ".join([texts[0], *texts[1], *texts[2]]), label=label),
            replace(knobs, caption=normalised, label=f"{label}-knobs"),
            *(replace(one, caption=of_front, label=f"{label}-front") for one in front_tables),
        ),
        summary=(
            *doc.paragraphs(texts[:1], "answer"),
            *doc.paragraphs(texts[1], "warning"),
            table,
            *front_tables,
            *([knobs] if knob_rows else []),
            *doc.paragraphs(texts[2], "note"),
        ),
        sheets=sheets,
        figures=charts,
        record=record(results),
    )


def _sections(
    results: SearchResults, charts: dict[str, Chart], files: tuple[str, ...], folder: Path
) -> Iterator[Section]:
    """The sections of the page, in their order."""
    rows, pareto = summary(results), front(results)
    table = _result_table(results, rows) if rows else None
    yield Section("Result", "Result", blocks=(table, Notes(caption(results)), doc.Files(files)))
    if pareto is not None:
        lead = f"What no trial beats in all of {pareto.ways}: whoever wants more of one gives up some of another."
        title = "Pareto front: every trial by its first two objectives, the front, and finalists' means over seeds"
        figure = ChartFigure(name=FRONT, title=title, chart=charts[FRONT]) if FRONT in charts else None
        notes = Notes(tuple(front_notes(results)))
        yield Section("Front", "Pareto front", lead, (figure, *_front_table(results), notes))
    yield from _knob_section(results)
    blocks: list[Block] = []
    for name, (title, words) in CAPTIONS.items():
        if name in charts:
            figure = ChartFigure(name=name, title=title, chart=charts[name], follow=name == PARALLEL)
            blocks += [Heading(title), Paragraph((words,)), figure]
    if blocks:
        why = results.no_importances
        missing = (Heading("Importances"), Paragraph((why,))) if why else ()
        yield Section("Search", "How the search went", blocks=(*blocks, *missing))
    if "learning_curves" in charts:
        lead = f"{results.design.value_name} of every trial by epoch of the searched stage. "
        lead += "A pointer over a curve dims the others."
        chart = charts["learning_curves"]
        curves = ChartFigure(name=chart.name, title="Learning curves", chart=chart, follow=True)
        blocks = [curves, *_cuts(results), *_rank_correlations(results), *_replayed(results)]
        yield Section("Curves", "Learning curves, and what was cut", lead, tuple(blocks))
    if results.pictures:
        yield Section("Pictures", "Pictures", blocks=doc.galleries(results.pictures, folder))
    yield Section("Runs", "Every run", blocks=tuple(_runs(results)))
    yield Section("Provenance", "Provenance", blocks=(doc.facts(_facts(results)),))


def _tiles(results: SearchResults) -> Iterator[tuple[str, str, str]]:
    best = best_row(results)
    pareto, leader = front(results), best_trial(results)
    untested = True
    if pareto is not None and pareto.trials:
        untested = False
        yield "On the front", f"{len(pareto.trials)} of {len(pareto.compared)}", "trials that no other beats"
    if best is not None and best.tested.n:
        known, untested = metric_of(best.leading), False
        yield f"Best {full_words(best.leading)}", spread(best.tested, known.digits), runs(best.tested)
        if best.share is not None:
            ends = "{:.0f}–{:.0f}%".format(*(100 * end for end in best.share.bounds)) if best.share.bounds else ""
            yield "Of target supervised", percent(best.share.estimate), _interval(best.share, ends)
        compared = gain(results)
        if compared is not None and compared.effect is not None:
            effect, fewer = compared.effect, known.digits - 1
            ends = " to ".join(f"{end:+.{fewer}f}" for end in effect.bounds or ())
            yield "Above no adaptation", f"{effect.estimate:+.{known.digits}f}", _interval(effect, ends)
    if leader is not None and untested:
        name = f"Best {results.design.value_words}{' so far' if unfinished(results) else ''}"
        yield name, score(leader.value, results.design.value_digits), f"trial {leader.number}, not tested"
    states = [trial.state for trial in results.trials]
    ended = len(states) - states.count("running")
    counts = [f"{states.count(of)} {of}" for of in ("complete", "cut", "failed", "running") if of in states]
    yield "Trials", f"{ended} of {max(results.design.trials, ended)}", ", ".join(counts)


def _interval(of: Interval, bounds: str) -> str:
    """An interval with its bounds as text, or why there is none."""
    if of.wide:
        return of.reason
    return f"no interval: {of.reason}" if of.reason else f"{CONFIDENCE:.0%} interval {bounds}"


def _objectives(results: SearchResults) -> tuple[str, ...]:
    """Headings of the columns of what was searched by: every objective, or the one selection value."""
    pareto = front(results)
    return tuple(of.heading for of in pareto.objectives) if pareto else (results.design.value_name,)


def summary_table(results: SearchResults, rows: Iterable[TestedRow], best: TestedRow | None) -> Table:
    """Finalists and references over seeds, as text; the row `best` stands out.

    Under what was searched by, a reference has no value: its validation may have seen other labels.
    """
    columns, pareto, lines = tested(results), front(results), []
    for row in rows:
        values = [spread(row.validation, results.design.value_digits)]
        if pareto is not None:
            means = (spread(row.objective(place), of.digits) for place, of in enumerate(pareto.objectives))
            values = [NOTHING for _ in pareto.objectives] if row.kind == "reference" else list(means)
        for column in columns:
            over_seeds = row.test(column.metric)
            rests = f" (n={over_seeds.n})" if 0 < over_seeds.n != row.tested.n else ""
            rests = f" ({runs(over_seeds)})" if column == columns[0] else rests
            values.append(f"{spread(over_seeds, column.digits)}{rests}")
        values += [share_cell(row.share)] * shares(results)
        lines.append(doc.TableRow(cells=tuple(TableCell((text,)) for text in (row.title, *values)), best=row == best))
    head = ("", *_objectives(results), *(column.heading for column in columns), *([SHARE] * shares(results)))
    return Table(head=head, rows=tuple(lines))


def _result_table(results: SearchResults, rows: Sequence[TestedRow]) -> Table:
    """The summary on the page, with every seed as a dot."""
    columns, scale, design = tested(results), scale_of(rows), results.design
    share = [SHARE] * shares(results)
    by = [] if design.several else [design.value_name]  # of several, the front's table has them
    lines = []
    for row in rows:
        more = [TableCell((share_cell(row.share),), name) for name in share]
        more += [TableCell((spread(row.validation, design.value_digits),), name) for name in by]
        lines.append(measured_row(row, columns, scale=scale, more=more, best=row.kind == "best"))
    strips = doc.ruler(f"{metric_of(rows[0].leading).heading}, each seed", scale)
    head: tuple[Part, ...] = ("", strips, *(column.heading for column in columns), *share, *by)
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
    cells = (
        doc.label(title or row.label, trial),
        doc.drawing(doc.strip(of.values, of.mean, failed=of.failed, scale=scale, digits=digits)),
        TableCell((spread(of, digits), doc.small(counted_runs(of)), failed), first.heading),
        *(TableCell((spread(row.test(column.metric), column.digits),), column.heading) for column in others),
    )
    return doc.TableRow(cells=(*cells, *more), best=best)


def scale_of(rows: Sequence[TestedRow]) -> tuple[float, float]:
    """The ends of the strips: 0 to 1 for Dice, elsewhere round numbers around every value."""
    if not rows or rows[0].leading == DICE:
        return 0.0, 1.0
    return doc.rounded_ends([value for row in rows for value in row.tested.values])


def _front_table(results: SearchResults) -> tuple[Table, ...]:
    """The trials that no other beats, and finalists; nothing where there is no front."""
    pareto, names = front(results), [names_of(results)[path] for path in results.design.space]
    if pareto is None or not pareto.trials:
        return ()
    headings = [*fronts.head(pareto), *(name.text for name in names)]
    rows = []
    for trial in fronts.shown(pareto):
        first, *rest = fronts.texts(pareto, trial)
        rest += [number(trial.knobs.get(path)) for path in results.design.space]
        repeated = pareto.repeated.get(trial.number)
        others = (TableCell((text,), name) for name, text in zip(headings[1:], rest, strict=True))
        best = repeated is not None and repeated.row.kind == "best"
        rows.append(doc.TableRow(cells=(doc.label(first), *others), best=best))
    return (Table(head=(*fronts.head(pareto), *names), rows=tuple(rows), style="small stack"),)


def knob_cells(row: KnobRow) -> tuple[str, ...]:
    """A row of the knobs as text, under `KNOB_HEADINGS`, without the knob's name."""
    normalised = (NOTHING if share is None else f"{share:.3f}" for share in (row.found_share, row.published_share))
    return number(row.found) + ("" if row.searched else " (fixed)"), number(row.published), *normalised


def _knob_section(results: SearchResults) -> Iterator[Section]:
    """The best weights beside the published ones, and the other searched knobs."""
    weighed, others = weights(results), other_knobs(results)
    if not weighed and not others:
        return
    rows = []
    for row in (*weighed, *others):
        _, _, ours, paper = knob_cells(row)
        by_study = None if row.searched else doc.small("fixed by the study")
        cells = (
            doc.label(row.knob, doc.small(row.knob.path)),
            TableCell((number(row.found), by_study), "Best (measured)"),
            TableCell((number(row.published),), "Paper"),
            TableCell((ours,), "Share of the sum, best"),
            TableCell((paper,), "Share of the sum, paper"),
            doc.drawing(doc.Shares(row.found_share, row.published_share)),
        )
        rows.append(doc.TableRow(cells=cells))
    keys = doc.Text((doc.Text(("best ",), "key", "ours"), doc.Text(("paper",), "key")))
    head = ("Knob", "Best (measured)", "Paper", "Share of the sum, best", "paper", keys)
    sources = dict.fromkeys(row.where for row in (*weighed, *others) if row.where)
    yield Section(
        "Weights",
        "Weights found, beside the paper's" if weighed else "Knobs found",
        "Only the ratios of loss weights act, so both are also shown as shares of their sum." if weighed else "",
        (
            Table(head=head, rows=tuple(rows), style="stack"),
            Paragraph((f"Paper: {'; '.join(sources)}.",), "aside") if sources else None,
        ),
    )


def _cuts(results: SearchResults) -> Iterator[Block]:
    """Whether each trial that the scheduler cut could have been a finalist, judged from the curves of the others."""
    judged, scheduler = verdicts(results), results.design.scheduler
    because = f", because {scheduler.because}" if scheduler.because else ""
    words = f"No scheduler was used{because}, so no trial was cut."
    if scheduler.name != "none":
        name = {"asha": "ASHA", "median": "Median stopping"}[scheduler.name]
        cut = counted(len(results.in_state("cut")), "trial")
        words = f"{name} with a grace period of {scheduler.grace} epochs{because}, cut {cut}."
    if judged:
        words += (
            " Judged from the curves: the largest gain from the rung to the end, among trials that finished, is what a "
            "cut trial could still have gained. The slowest starters were cut themselves, so this is evidence and no "
            "proof."
        )
    yield Heading("Could a trial that was cut have been a finalist?")
    yield Paragraph((words,))
    if judged:
        yield doc.Findings(tuple((one.answer, TONES[one.answer], one.sentence) for one in judged))  # type: ignore[misc]


def _rank_correlations(results: SearchResults) -> Iterator[Block]:
    """At every rung, the rank correlation of the values there with the final ones, over trials that finished."""
    longest = max((t.points[-1][0] for t in results.in_state("complete") if t.points), default=0)
    scheduler = results.design.scheduler
    epochs = rungs(scheduler.grace or max(1, longest // 4), scheduler.reduction or 2, longest)
    found, rows = foretelling(results.trials, epochs), []
    for one in found:
        correlation = doc.Text((f"{one.correlation:.2f}",), tone="bad" if one.crosses else "")
        cells = (TableCell((correlation,), "Correlation"), TableCell((str(one.trials),), "Trials"))
        rows.append(doc.TableRow(cells=(doc.label(str(one.epoch)), *cells)))
    if rows:
        crossing = listed(one.epoch for one in found if one.crosses) or "none"
        yield Heading("Do early values foretell final ones?")
        yield Paragraph((f"Epochs at which curves cross (rank correlation below {CROSSING}): {crossing}.",))
        head = ("Epoch", "Rank correlation with the final value", "Finished trials")
        yield Table(head=head, rows=tuple(rows), style="small few stack")


def _replayed(results: SearchResults) -> Iterator[Block]:
    """What schedulers would have done; a front has no order to stop by."""
    replayed = () if results.design.several else replays(results)
    head, rows = ("Scheduler", "Would have cut", "Finalists among them", "Epochs saved"), []
    for one in replayed:
        lost = doc.Text((f"trial {listed(one.finalists_cut)}",), tone="bad") if one.finalists_cut else "none"
        texts: tuple[Part, ...] = (f"{len(one.cut)} of {one.trials}", lost, percent(one.saved))
        others = (TableCell((text,), name) for name, text in zip(head[1:], texts, strict=True))
        rows.append(doc.TableRow(cells=(doc.label(one.rule), *others)))
    if rows:
        yield Heading("What a scheduler would have done")
        yield Paragraph((f"Replayed in trial order on {counted(replayed[0].trials, 'curve')} that ran to the end.",))
        yield Table(head=head, rows=tuple(rows), style="small few stack")


def _runs(results: SearchResults) -> Iterator[Block]:
    """Every tested run and every trial, failed ones with their reason; folded."""
    design, columns = results.design, of_runs(results)
    rows = [
        run_row(
            row.title,
            str(run.seed),
            state(run.state),
            *(score(run.metrics.get(column.metric), column.digits) for column in columns),
            score(run.value, design.value_digits),
            seconds=run.seconds,
            reason=run.reason,
        )
        for row in summary(results)
        for run in row.replicates
    ]
    if rows:
        head: tuple[Part, ...] = ("Row", "Seed", "State", *(column.heading for column in columns), design.value_name)
        title = f"{counted(len(rows), 'tested run')} of finalists and references"
        yield Table(head=(*head, "Time"), rows=tuple(rows), folded=title, style="small")
    paths = tuple(dict.fromkeys(path for trial in results.trials for path in trial.knobs))
    rows = []
    for trial in results.trials:
        values = [score(trial.value, design.value_digits)]  # of one, what it was when it was cut
        if design.several:
            by = zip(design.objectives, trial.values or [None] * len(design.objectives), strict=False)
            values = [score(value, metric_of(metric).digits) for metric, value in by]
        at = f" at {trial.rung}" if trial.state == "cut" and trial.rung is not None else ""
        knobs = (number(trial.knobs[path]) if path in trial.knobs else NOTHING for path in paths)
        texts = (state(trial.state, at), *values, *knobs)
        rows.append(run_row(str(trial.number), *texts, seconds=trial.seconds, reason=trial.reason))
    if rows:
        of_values = [full_heading(metric) for metric in design.objectives] or ["Value"]
        head = ("Trial", "State", *of_values, *(names_of(results)[path] for path in paths), "Time")
        yield Table(head=head, rows=tuple(rows), folded=counted(len(rows), "trial"), style="small")


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
