"""Saved views: what a user of MLflow's pages finds under "Views" when a study's experiment is opened.

    ablation    Ablation by variant   means over finished seeds, one line a row (and column) of the table
                Curves by stage       losses and validation scores over epochs, mean over seeds with a band around it
                Bars                  the table's metrics, one bar a row
                Pictures              what the tests drew, row beside row, under the first seed
    search      Search                parallel coordinates over the knobs and the value, bars, curves
                Pictures              what the tests drew, best first

Two studies of one name share an experiment on a shared server; so every filter names the study's origin, without which
their means would mix. Pure: no server is asked here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, final

from medsearch.study.record.headers import AblationHeader
from medsearch.tracking.ablation_runs import PLACE, ROW, row_of
from medsearch.tracking.desired_runs import (
    full_name,
    image_key,
    milliseconds,
    objective_names,
    outcome,
    pictures,
    plain_name,
)
from medsearch.tracking.reading import StudyFiles
from medsearch.tracking.saved_views import (
    Groups,
    Section,
    View,
    bar,
    column,
    images,
    layout,
    line,
    parallel,
    table,
)

VALUE = "value"
CURVES = 8
"""Charts of one stage."""


def views_of(study: StudyFiles) -> tuple[View, ...]:
    """The views of a study, as far as what it has measured allows."""
    if not study.runs or study.origin is None:
        return ()
    return tuple(_of_search(_Drafts(study)) if study.ablation is None else _of_ablation(_Drafts(study), study.ablation))


@final
class _Drafts:
    """What all views of a study need to know of it."""

    def __init__(self, study: StudyFiles) -> None:
        self.study = study
        self.mine = {"medsearch.origin": str(study.origin)}
        of = study.header
        self.asked = frozenset(study.search.objectives if study.search else ())
        self.asked |= {study.ablation.objective} if study.ablation else set()
        begun = of.begun if of else 0
        self.created = milliseconds(begun or min(record.started for record in study.runs.values()))
        stages = [stage for record in study.runs.values() for stage in record.stages]
        self.nodes = list(dict.fromkeys(node for node, _ in stages))
        self.pictures = sorted({image_key(file) for file in pictures(study, stages)})

    def view(self, id: str, name: str, state: Mapping[str, Any], *, charted: bool = True) -> View:
        """A view whose id is the same for the same study on every machine."""
        return View(f"medsearch-{self.study.origin}-{id}", name, self.created, state, charted)

    def curves(self, nodes: Iterable[str]) -> list[Section]:
        """A section for every stage that has curves: validation first, then what it was trained by."""
        sections = []
        for node in nodes:
            found = {name for _, name in self.study.measured.get(node, {})}
            # Validation first, of it what ranks, then Dice in any other form.
            ranked = sorted(
                (not name.startswith("validation/"), name not in self.asked, "dice" not in name, name) for name in found
            )
            names = [name for *_, name in ranked[:CURVES]]
            charts = tuple(line(self.names(node, name), f"{node}: {name}") for name in names)
            sections += [Section(node, charts)] if charts else []
        return sections

    def names(self, node: str, name: str) -> list[str]:
        """A metric's names in MLflow: one for each domain on which it was measured."""
        return sorted(full_name(node, domain, other) for domain, other in self.study.measured[node] if other == name)

    def all_names(self) -> list[str]:
        """Every metric of every stage, by epoch and final, but for an ablation's scores."""
        found = {full_name(node, domain, name) for node, of in self.study.measured.items() for domain, name in of}
        for record in self.study.runs.values():
            for node, key in record.stages:
                if finished := self.study.finished.get(key):
                    found |= {point.key for point in outcome(node, finished)}
        return sorted(found)

    def shown_pictures(self, *, hidden: Iterable[str]) -> dict[str, Any]:
        """A chart with all pictures, and none of the metrics."""
        section = Section("Pictures", (images(self.pictures, "Pictures"),), columns=1, height=720)
        return layout([section] if self.pictures else [], hidden=hidden, hidden_images=self.pictures)


def _of_ablation(of: _Drafts, grid: AblationHeader) -> Iterator[View]:
    scored = "test" if "test" in grid.scored else min(grid.scored, default="test")
    mine, order, scores = _tagged({"role": "stage"} | of.mine), column("tags", PLACE), _scores(of.study, grid)
    finished = f"attributes.status = 'FINISHED' AND {_tagged({'node': scored})} AND {mine}"

    rows = _groups(grid, [key for cell in grid.cells for node, key in cell.stages if node == scored])
    means = table([column("metrics", name) for name in scores], search=finished, order=order, groups=rows)
    yield of.view("by-variant", "Ablation by variant", means | layout(()), charted=False)

    lines, trained = _groups(grid, grid.owners), f"attributes.status != 'FAILED' AND {mine}"
    told = table(_tags("node", "seed"), search=trained, order=order, groups=lines)
    curves = layout(of.curves(grid.nodes), hidden=of.all_names(), hidden_images=of.pictures)
    yield of.view("curves", "Curves by stage", told | curves)

    bars = layout([Section("Means over seeds", tuple(bar(name, name) for name in scores))], hidden_images=of.pictures)
    yield of.view("bars", "Bars", means | bars)

    first = f"{finished} AND {_tagged({'seed': str(next((cell.seed for cell in grid.cells), 0))})}"
    seen = table(_tags("variant", "task", "seed"), search=first, order=order, falling=True)  # drawn from the last on
    yield of.view("pictures", "Pictures", seen | of.shown_pictures(hidden=scores))


def _of_search(of: _Drafts) -> Iterator[View]:
    search, best = of.study.search, column("metrics", VALUE)
    knobs = [plain_name(knob) for knob in (*search.space, *search.nuisance)] if search else []
    complete = _tagged({"role": "trial", "state": "complete"} | of.mine)
    several, directions = objective_names(search), search.objectives.values() if search else ()
    values, falling = several or [VALUE], next(iter(directions), "maximize") == "maximize"
    columns = [*(column("metrics", name) for name in (VALUE, *several)), *(column("params", knob) for knob in knobs)]
    charts = [Section("Knobs and value", (parallel(knobs, values, "Knobs and value"),), columns=1)] if knobs else []
    charts += [Section("Value", tuple(bar(name, name) for name in values), columns=1), *of.curves(of.nodes)]
    once = [VALUE] if several else []  # it is the first objective's
    drawn = layout(charts, hidden=[*once, *of.all_names()], hidden_images=of.pictures)
    told = table([*columns, *_tags("trial")], search=complete, order=best, falling=falling)
    yield of.view("search", "Search", told | drawn)

    ended = f"attributes.status = 'FINISHED' AND {_tagged(of.mine)}"
    seen = table(_tags("role", "trial", "variant", "seed"), search=ended, order=best)  # drawn from the last on
    yield of.view("pictures", "Pictures", seen | of.shown_pictures(hidden=[VALUE, *several, *of.all_names()]))


def _groups(grid: AblationHeader, keys: Iterable[str]) -> Groups:
    return Groups(ROW, tuple(dict.fromkeys(row_of(grid, key) for key in keys)))


def _tagged(tags: Mapping[str, str]) -> str:
    return " AND ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())


def _tags(*names: str) -> list[str]:
    return [column("tags", name) for name in names]


def _scores(study: StudyFiles, grid: AblationHeader) -> list[str]:
    """The table's metrics, then what else the tests measured."""
    ends = {key for cell in grid.cells for _, key in cell.stages[-1:]}
    found = {name for key in ends if key in study.finished for name in study.finished[key].metrics}
    return [plain_name(name) for name in dict.fromkeys([*grid.metrics, *sorted(found), "seconds"])]
