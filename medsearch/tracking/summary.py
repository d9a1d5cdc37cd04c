"""What an ablation's report says of its rows, as metrics and tags of the rows' runs.

    summary/<column>/<metric>               mean over the seeds, if every planned seed has a value
    summary/<column>/<metric> survivors     mean over those that have one, if not all have: never both
    summary/<column>/<metric> sd, seeds, planned, share, change
    summary/<column>/<metric> share survivors, change survivors     if one of the two rows lacks a seed
    verdict, verdict_reason                 beside the reported value, by column

`<column>` only where the table has several. Read loosely from results.json: what is not there is not said.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import Damaged
from medsearch.core.records import read_json

PREFIX = "summary/"
"""What metrics begin with whose last value alone counts."""

NUMBERS = {"mean": "", "survivors_mean": " survivors", "sd_seeds": " sd", "survivors_sd": " sd"}
NUMBERS |= {"seeds": " seeds", "planned": " planned", "share": " share", "survivors_share": " share survivors"}
NUMBERS |= {"change": " change", "survivors_change": " change survivors"}


@final
@dataclass(frozen=True)
class Table:
    """The lines of a report's table, one for each row, column and metric; `time` (Unix seconds) when it was written."""

    lines: tuple[Mapping[str, Any], ...] = ()
    time: float = field(default=0.0, compare=False)

    def numbers(self, row: str) -> dict[str, float]:
        """The row's metrics. What no longer holds, and held once, is NaN."""
        found: dict[str, float] = {}
        for line in self._of(row):
            for name, suffix in NUMBERS.items():
                value, key = line.get(name), f"{PREFIX}{self._column(line)}{line['metric']}{suffix}"
                if isinstance(value, int | float):
                    found[key] = float(value)
                else:
                    found.setdefault(key, math.nan)
        return found

    def tags(self, row: str) -> dict[str, str]:
        """The row's verdicts."""
        judged = [line for line in self._of(row) if line.get("verdict")]
        return {
            name: "; ".join(f"{self._place(line, judged)}{line[name]}" for line in judged if line.get(name))
            for name in ("verdict", "verdict_reason")
            if any(line.get(name) for line in judged)
        }

    def _of(self, row: str) -> Iterator[Mapping[str, Any]]:
        return (line for line in self.lines if line["row"] == row)

    def _column(self, line: Mapping[str, Any]) -> str:
        several = len({line["column"] for line in self.lines}) > 1
        return f"{line['column'].replace('/', '_')}/" if several else ""

    def _place(self, line: Mapping[str, Any], judged: list[Mapping[str, Any]]) -> str:
        named = [line[name] for name in ("column", "metric") if len({of[name] for of in judged}) > 1]
        return f"{', '.join(named)}: " if named else ""


def read_table(path: Path) -> Table:
    """The table in a results.json; an empty one where there is none that can be read."""
    try:
        lines = read_json(path)["derived"]["table"]
        time = path.stat().st_mtime
    except (OSError, Damaged, KeyError, TypeError):
        return Table()
    return Table(tuple(line for line in lines if _is_line(line)) if isinstance(lines, list) else (), time)


def _is_line(of: Any) -> bool:
    return isinstance(of, dict) and all(isinstance(of.get(name), str) for name in ("row", "column", "metric"))
