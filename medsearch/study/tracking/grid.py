"""What an ablation's header says of its rows, its cells and the stage runs that they share. Pure; no file is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

Stages = tuple[tuple[str, str], ...]
_NOT_SET = object()


@final
@dataclass(frozen=True)
class Row:
    """A row of the table. `kind` is "variant" or "reference"; `against` the label of the row it is compared with."""

    label: str
    kind: str
    knobs: Mapping[str, Any]
    against: str
    method: str


@final
@dataclass(frozen=True)
class Cell:
    """A row in a column under a seed, or a candidate of its nuisance knobs (`number`); its last stage is scored."""

    row: str
    task: str
    seed: int | None
    knobs: Mapping[str, Any]
    stages: Stages
    number: int | None = None


@final
@dataclass(frozen=True)
class Column:
    """A column of the table: what its stage runs are tagged with."""

    label: str
    selection: str
    cohort: str


@final
@dataclass(frozen=True)
class Grid:
    """Rows x columns x seeds, and candidates for the rows' nuisance knobs."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: tuple[Cell, ...]
    candidates: tuple[Cell, ...]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...] = ()

    @cached_property
    def owners(self) -> Mapping[str, tuple[Cell, ...]]:
        """Stage key -> the cells and candidates that list it, in the table's order."""
        found: dict[str, list[Cell]] = {}
        for cell in (*self.cells, *self.candidates):
            for key in dict.fromkeys(key for _, key in cell.stages):
                found.setdefault(key, []).append(cell)
        return {key: tuple(owning) for key, owning in found.items()}

    @cached_property
    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        owning = {key: {cell.row for cell in cells} for key, cells in self.owners.items()}
        return {key: tuple(row.label for row in self.rows if row.label in rows) for key, rows in owning.items()}

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of all pipelines, roughly in their order."""
        longest_first = sorted(self.cells, key=lambda cell: -len(cell.stages))
        return tuple(dict.fromkeys(node for cell in longest_first for node, _ in cell.stages))

    @cached_property
    def scored(self) -> frozenset[str]:
        """The nodes that hold the scores of the table."""
        return frozenset(cell.stages[-1][0] for cell in self.cells if cell.stages)

    def labels(self, key: str) -> tuple[str, ...]:
        """The rows that a stage run belongs to, in the table's order."""
        return self._labels.get(key, ())

    def unknown(self, row: str) -> int:
        """How many cells of a row are known only once its candidates have ended."""
        tried, known = ({of.task for of in cells if of.row == row} for cells in (self.candidates, self.cells))
        return len(tried - known) * max(1, len(self.seeds))

    def knobs(self, key: str) -> dict[str, Any]:
        """The knobs in which all owners of a stage run agree."""
        owning = self.owners.get(key, ())
        common = dict(owning[0].knobs) if owning else {}
        for cell in owning[1:]:
            common = {knob: value for knob, value in common.items() if cell.knobs.get(knob, _NOT_SET) == value}
        return common


def grid_of(header: Mapping[str, Any]) -> Grid | None:
    """The grid that a header describes; None for a study that is no ablation."""
    if header.get("kind") != "ablation":
        return None
    rows = tuple(_row(of) for of in header.get("variants", ()))
    everywhere = {**(header.get("of") or {}).get("knobs", {}), **header.get("fixed", {})}
    within = header.get("within", {})
    own = {row.label: row.knobs for row in rows}

    def cell(of: Mapping[str, Any]) -> Cell:
        row, task = of["variant"], of["task"]
        knobs = {**everywhere, **within.get(task, {}), **own.get(row, {}), **of.get("knobs", {})}
        stages = tuple((node, key) for node, key in of["stages"])
        return Cell(row, task, of.get("seed"), knobs, stages, of.get("number"))

    return Grid(
        rows=rows,
        columns=tuple(_column(of) for of in header.get("tasks", ())),
        cells=tuple(cell(of) for of in header.get("cells", ())),
        candidates=tuple(cell(of) for of in header.get("candidates", ())),
        metrics=tuple(header.get("metrics", ())),
        seeds=tuple(header.get("seeds", ())),
    )


def _row(of: Mapping[str, Any]) -> Row:
    return Row(of["label"], of.get("kind", "variant"), of.get("knobs", {}), of.get("against", ""), of.get("method", ""))


def _column(of: Mapping[str, Any]) -> Column:
    return Column(of["label"], str(of.get("selection", "")), str(of.get("cohort", "")))
