"""What MLflow should hold of a study: one parent run, and one run per thing below it. No server is asked here.

    params     dotted knobs: those that the study fixed, and the run's own
    metrics    <stage>/<domain>/<split>/<metric> by epoch; final/<stage>/... what a finished stage ended with;
               value: the selection metric. Times are those of the journals, so sending twice adds no point.
    tags       study, role, variant, trial, seed, task, selection, method, scale, cohort, state, finalist, cut_rung,
               reason, cause, stage.<node> = key; commit, of the code that trained the run's last stage, and
               commit.<node> where the others are of other code. medsearch.* are this program's own.
    pictures   series of images, which MLflow's image charts show run beside run

`trials` says it of a search, `rows` of an ablation; `series` has the metrics and pictures of both.
"""

import json
import math
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from medsearch.study.record.headers import SearchHeader
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.reading import File, Study

SHARED = ("method", "scale", "selection", "cohort")
"""What every run repeats from the study's header, so that runs can be filtered by it."""

KNOBS = "medsearch.knobs"
"""The tag that holds a fingerprint of the params of a run that can be started again with others."""

ANEW = "medsearch.anew."
"""Begins the tag, of a node, that says which earlier end of its stage was replaced by training it anew."""

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000  # MLflow's limits; tags as the oldest supported server has it


@final
@dataclass(frozen=True)
class Point:
    """One value of a metric at an epoch, at `time` (Unix milliseconds)."""

    key: str
    value: float
    time: int
    step: int


Series = Mapping[str, tuple[tuple[Point, ...], ...]]


@final
@dataclass(frozen=True, kw_only=True)
class DesiredRun:
    """A run as MLflow should show it. Times are Unix milliseconds.

    `under` is the run that it hangs under; none: the parent. `once` are tags that are set where they are missing and
    then the user's to edit. `series` only ever grow at their ends, entry by entry, so that "how many were sent" is all
    that has to be remembered. `summary` are points that replace those of another value.
    """

    run: str
    name: str
    started: int
    status: str
    ended: int | None
    tags: Mapping[str, str]
    under: str = ""
    once: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    series: Series = field(default_factory=dict)
    summary: tuple[Point, ...] = ()
    files: tuple[File, ...] = ()
    value: float | None = None


def identity(study: Study, run: str) -> dict[str, str]:
    """The tags by which a run is found again, and those that every run of the study bears."""
    named = {key: getattr(study.header, key, None) for key in SHARED}
    tags = {key: value for key, value in named.items() if isinstance(value, str)}
    own = {"medsearch.run": f"{study.title}/{run}", "medsearch.origin": str(study.origin)}
    return plain_tags({"study": study.title} | tags | own)


def once(study: Study) -> dict[str, str]:
    """The code that the study ran on."""
    return _commit(study.header.commit if study.header else None)


def code_tags(study: Study, record: RunRecord) -> dict[str, str]:
    """The code that trained a run's stages: the last one's, and where others were trained by other code, each one's.

    While nothing is stored of a run, it is the code that the study runs on. Stages that were trained anew are marked.
    """
    known = {node: study.finished[key].code for node, key in record.stages if key in study.finished}
    commits = {node: " and ".join(code) for node, code in known.items() if code}
    last = next(reversed(known)) if known else None
    tags = once(study) if last is None else _commit(commits.get(last))
    if len(set(commits.values())) > 1:
        tags |= {f"commit.{plain_name(node)}": commit for node, commit in commits.items()}
    anew = {node: study.replaced[key] for node, key in record.stages if key in study.replaced}
    return tags | {f"{ANEW}{plain_name(node)}": str(time) for node, time in anew.items()}


def _commit(of: Any) -> dict[str, str]:
    return {"commit": str(of), "mlflow.source.git.commit": str(of)} if of else {}


def note(study: Study) -> dict[str, str]:
    """What MLflow shows on the page of the parent run, until a user writes something else there."""
    question = study.header.question if study.header else ""
    return {"mlflow.note.content": question} if question else {}


def plain_params(knobs: Mapping[str, Any]) -> dict[str, str]:
    """Knobs as MLflow keeps them."""
    return {plain_name(path): plain_text(value, PARAM_LENGTH) for path, value in knobs.items()}


def plain_tags(of: Mapping[str, Any]) -> dict[str, str]:
    """Tags as MLflow keeps them; None is no tag."""
    return {key: plain_text(value, TAG_LENGTH) for key, value in of.items() if value is not None}


def plain_number(value: float) -> float:
    """MLflow keeps NaN, but turns infinities into 1.8e308, which nobody measured."""
    return float(value) if math.isfinite(value) else math.nan


def plain_name(of: str) -> str:
    """A name of a metric or param as MLflow takes it."""
    return posixpath.normpath(re.sub(r"[^\w\-. :/]", "_", of))[:NAME_LENGTH]


def objective_names(search: SearchHeader | None) -> list[str]:
    """The metrics in MLflow that hold a search's objectives, where it has several; of one, `value` is enough."""
    metrics = search.objectives if search else {}
    return [plain_name(f"objective/{metric}") for metric in metrics] if len(metrics) > 1 else []


def plain_text(value: Any, length: int) -> str:
    """A value as text; lists and tables as JSON."""
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def milliseconds(seconds: float) -> int:
    """MLflow's times."""
    return round(seconds * 1000)


def last_heard(study: Study, record: RunRecord) -> int:
    """When the run ended, or was last heard of."""
    if record.ended is not None:
        return milliseconds(record.ended)
    heard = [line["time"] for _, key in record.stages for line in study.journals.get(key, ())]
    return milliseconds(max([record.started, *heard]))
