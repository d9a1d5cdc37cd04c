"""A saved view of MLflow's pages as the experiment's tag that holds it.

The tag is mlflow.sharedViewState.<id>; its value JSON {name, createdAt, updatedAt, state, medsearch}; state is
"deflate;" and the base64 of zlib's stream of a JSON object, which `charts` describes. When a user saves over a view,
`medsearch` (ours: a fingerprint) is gone, and the view is left alone from there on.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from medsearch.core.recipes import fingerprint

TAG = "mlflow.sharedViewState."
MARK = "medsearch"
PACKED = "deflate;"
LIMIT = 4900
"""Characters of a tag's value that every supported server takes."""


@final
@dataclass(frozen=True)
class View:
    """A saved view. `created` in Unix milliseconds; `charted`: to be opened with its charts, not as a table alone."""

    id: str
    name: str
    created: int
    state: Mapping[str, Any]
    charted: bool = True

    @property
    def tag(self) -> str:
        """The experiment's tag that holds it."""
        return f"{TAG}{self.id}"

    @property
    def value(self) -> str:
        """The tag's value, the same for the same study, whoever writes it. Charts go until it is short enough."""
        state = dict(self.state)
        text = _packed(self, state)
        while len(text) > LIMIT and (charts := state.get("compareRunCharts")):
            state["compareRunCharts"] = charts[: len(charts) * 9 // 10]  # the hidden ones are last
            text = _packed(self, state)
        return text

    def address(self, experiment: str) -> str:
        """The path of the page, behind a server's address."""
        mode = "&compareRunsMode=CHART" if self.charted else ""
        return f"#/experiments/{experiment}/runs?viewStateShareKey={self.id}{mode}"


def opened(tag: str, value: str) -> View | None:
    """The view that a tag holds, whoever saved it; None if that cannot be read."""
    try:
        of = json.loads(value)
        state = json.loads(zlib.decompress(base64.b64decode(of["state"].removeprefix(PACKED))))
        charted = any(not chart.get("deleted") for chart in state.get("compareRunCharts") or ())
        return View(tag.removeprefix(TAG), str(of["name"]), int(of["createdAt"]), state, charted)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return None


def is_ours(value: str) -> bool:
    """Whether a tag's value is as this program wrote it, and not as a user saved it over."""
    try:
        of = json.loads(value)
    except ValueError:
        return False
    return isinstance(of, dict) and isinstance(of.get("state"), str) and of.get(MARK) == _mark(of["state"])


def _packed(view: View, state: Mapping[str, Any]) -> str:
    plain = json.dumps(state, separators=(",", ":"), sort_keys=True).encode()
    packed = PACKED + base64.b64encode(zlib.compress(plain, 9)).decode()
    named = {"name": view.name, "createdAt": view.created, "updatedAt": view.created, "state": packed}
    return json.dumps(named | {MARK: _mark(packed)}, separators=(",", ":"))


def _mark(state: str) -> str:
    return fingerprint(state)[:12]
