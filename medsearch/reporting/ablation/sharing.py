"""Which replicates stand on the same stage runs, and what that saved.

Rows that share a stage under a seed share its luck: their difference is the better known for it, and their spreads
over seeds are not independent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medsearch.reporting.ablation.results import AblationResults
from medsearch.reporting.wording import listed

Owner = tuple[str, str]  # row, column


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Rows that stand on the same run of these nodes under each of these seeds."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    nodes: tuple[str, ...]
    seeds: tuple[int, ...]

    def words(self, of: AblationResults) -> str:
        """The note under the table."""
        when = f"under seed{'s' * (len(self.seeds) > 1)} {listed(self.seeds)}"
        when = "seed by seed" if self.seeds == of.design.seeds else when
        what = f"{listed(self.nodes)} {when}"
        if len(self.rows) == 1:
            return f"“{self.rows[0]}” shares {what} between {of.named(self.columns)}."
        return f"Rows {listed(f'“{row}”' for row in self.rows)} share {what} ({of.named(self.columns)})."


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What sharing saved, in seconds of the stage runs that are stored."""

    asked: int
    distinct: int
    alone: float
    shared: float

    @property
    def saved(self) -> float:
        """The share of the time that was not spent; 0 before anything is stored."""
        return 1 - self.shared / self.alone if self.alone else 0.0


def shared(results: AblationResults) -> tuple[Shared, ...]:
    """Groups of rows by the stage runs that they have in common, the largest groups first."""
    owners: dict[str, dict[Owner, None]] = {}
    about: dict[str, tuple[str, int]] = {}
    for cell in results.cells:
        for replicate in cell.replicates:
            for node, key in replicate.stages:
                owners.setdefault(key, {})[cell.row, cell.column] = None
                about.setdefault(key, (node, replicate.seed))
    groups: dict[tuple[Owner, ...], dict[str, set[int]]] = {}
    for key, found in owners.items():
        if len(found) > 1:
            node, seed = about[key]
            groups.setdefault(tuple(found), {}).setdefault(node, set()).add(seed)
    return tuple(_merged(_by_seeds(groups)))


def _by_seeds(groups: Mapping[tuple[Owner, ...], Mapping[str, set[int]]]) -> Iterable[Shared]:
    for owners, nodes in groups.items():
        rows, columns = (tuple(dict.fromkeys(part)) for part in zip(*owners, strict=True))
        for seeds in dict.fromkeys(tuple(sorted(seeds)) for seeds in nodes.values()):
            names = tuple(node for node, under in nodes.items() if tuple(sorted(under)) == seeds)
            yield Shared(rows=rows, columns=columns, nodes=names, seeds=seeds)


def _merged(of: Iterable[Shared]) -> list[Shared]:
    """The same rows with the same nodes in several columns are one group; more rows come first."""
    merged: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]], list[str]] = {}
    for one in of:
        columns = merged.setdefault((one.rows, one.nodes, one.seeds), [])
        columns += [column for column in one.columns if column not in columns]
    found = [
        Shared(rows=rows, columns=tuple(columns), nodes=nodes, seeds=seeds)
        for (rows, nodes, seeds), columns in merged.items()
    ]
    return sorted(found, key=lambda one: -len(one.rows))


def spent(results: AblationResults) -> Spent:
    """Over the stage runs that are finished."""
    done = [run for run in results.runs if run.state == "complete" and run.seconds is not None]
    return Spent(
        asked=sum(run.asked for run in done),
        distinct=len(done),
        alone=sum((run.seconds or 0.0) * run.asked for run in done),
        shared=sum(run.seconds or 0.0 for run in done),
    )
