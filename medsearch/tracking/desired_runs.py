"""What MLflow should hold of a study: one parent run, and one run per thing below it. No server is asked here.

    params     dotted knobs: those that the study fixed, and the run's own
    metrics    <stage>/<domain>/<split>/<metric> by epoch; final/<stage>/... what a finished stage ended with;
               value: the selection metric. Times are those of the journals, so sending twice adds no point.
    tags       study, role, variant, trial, seed, task, selection, method, scale, cohort, state, finalist, cut_rung,
               reason, cause, stage.<node> = key; commit, of the code that trained the run's last stage, and
               commit.<node> where the others are of other code. medsearch.* are this program's own.
    pictures   series of images, which MLflow's image charts show run beside run

`search_runs` says it of a search, `ablation_runs` of an ablation; both have `parent_run`, `row_runs` and `ledger_run`.
"""

import json
import math
import posixpath
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from medsearch.study.record.headers import SearchHeader
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.reading import File, FinishedStage, StudyFiles

SHARED = ("method", "scale", "selection", "cohort")
"""What every run repeats from the study's header, so that runs can be filtered by it."""

KNOBS = "medsearch.knobs"
"""The tag that holds a fingerprint of the params of a run that can be started again with others."""

ANEW = "medsearch.anew."
"""Begins the tag, of a node, that says which earlier end of its stage was replaced by training it anew."""

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000  # MLflow's limits; tags as the oldest supported server has it

IMAGES = "images"
"""The folder of artifacts in which MLflow's pages look for images by key and step."""


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


def identity(study: StudyFiles, run: str) -> dict[str, str]:
    """The tags by which a run is found again, and those that every run of the study bears."""
    shared = {key: getattr(study.header, key, None) for key in SHARED}
    tags = {key: value for key, value in shared.items() if isinstance(value, str)}
    own = {"medsearch.run": f"{study.title}/{run}", "medsearch.origin": str(study.origin)}
    return plain_tags({"study": study.title} | tags | own)


def commit_tags(commit: str | None) -> dict[str, str]:
    """The tags that name the commit of the code, MLflow's own among them; none where it is unknown."""
    return {"commit": commit, "mlflow.source.git.commit": commit} if commit else {}


def code_tags(study: StudyFiles, record: RunRecord) -> dict[str, str]:
    """The code that trained a run's stages: the last one's, and where others were trained by other code, each one's.

    While nothing is stored of a run, it is the code that the study runs on. Stages that were trained anew are marked.
    """
    trained = {node: study.finished[key].code for node, key in record.stages if key in study.finished}
    commits = {node: " and ".join(code) for node, code in trained.items() if code}
    tags = commit_tags(commits.get(next(reversed(trained))) if trained else study.commit)
    if len(set(commits.values())) > 1:
        tags |= {f"commit.{plain_name(node)}": commit for node, commit in commits.items()}
    anew = {node: study.replaced[key] for node, key in record.stages if key in study.replaced}
    return tags | {f"{ANEW}{plain_name(node)}": str(time) for node, time in anew.items()}


def parent_notes(study: StudyFiles) -> dict[str, str]:
    """Tags that the parent run is given once: the code's commit, and the question as the description of its page."""
    question = study.header.question if study.header else ""
    return commit_tags(study.commit) | ({"mlflow.note.content": question} if question else {})


def epochs(study: StudyFiles, node: str, key: str) -> tuple[tuple[Point, ...], ...]:
    """Every epoch of a stage, named <node>/<domain>/<split>/<metric>."""
    return tuple(
        _points(line["metrics"], line["time"], node, line.get("domains", {}), step=int(line["epoch"]))
        for line in study.journals.get(key, ())
    )


def outcome(node: str, finished: FinishedStage) -> tuple[Point, ...]:
    """What a finished stage ended with, named final/<node>/..."""
    points = _points(finished.measured, finished.time, node, finished.domains)
    return tuple(Point(f"final/{point.key}", point.value, point.time, point.step) for point in points)


def scores(finished: FinishedStage) -> tuple[Point, ...]:
    """What a test ended with, by the names that the table has for it."""
    return _points(finished.measured, finished.time)


def _points(
    metrics: Mapping[str, Any], time: float, node: str = "", domains: Mapping[str, str] | None = None, *, step: int = 0
) -> tuple[Point, ...]:
    """The numbers among `metrics` as points, by their full names where a node is given; `time` in Unix seconds."""
    return tuple(
        Point(
            full_name(node, (domains or {}).get(name.partition("/")[0], ""), name) if node else plain_name(name),
            plain_number(value),
            milliseconds(time),
            step,
        )
        for name, value in metrics.items()
        if isinstance(value, int | float)
    )


def full_name(node: str, domain: str, name: str) -> str:
    """<node>/<domain>/<split>/<metric>; the domain where it is known, the node unless the name bears it already."""
    named = f"{domain}/{name}" if domain else name
    return plain_name(f"{node}/{named.removeprefix(f'{node}/')}")


def pictures(study: StudyFiles, stages: Iterable[tuple[str, str]]) -> Iterator[File]:
    """Each picture of finished stages twice, whole and small, named as MLflow's `log_image` names them.

    images/<key>+step+<step>+timestamp+<ms>+<uuid>.png, and the small one with +compressed.webp. Key is <node>/<name>;
    the step is the number behind "epoch" in the file's name, else 0. The uuid comes from the content.
    """
    for node, key in stages:
        if finished := study.finished.get(key):
            for file in finished.pictures:
                name = f"{node}{file.folder.removeprefix('pictures')}/{file.path.stem}"
                epoch = re.search(r"[-_/ ]?epoch[-_ ]?(\d+)$", name)
                series = re.sub(r"[^\w\-. /]", "_", name[: epoch.start()] if epoch else name, flags=re.ASCII)
                step, time = int(epoch[1]) if epoch else 0, milliseconds(finished.time)
                stem = f"{series.replace('/', '~')}+step+{step}+timestamp+{time}+{uuid.UUID(file.digest)}"
                yield File(file.path, IMAGES, file.digest, f"{stem}.png")
                yield File(file.path, IMAGES, file.digest, f"{stem}+compressed.webp", small=True)


def image_key(file: File) -> str:
    """The key under which MLflow's pages know a picture."""
    return file.label.partition("+")[0].replace("~", "/")


def objective_names(search: SearchHeader | None) -> list[str]:
    """The metrics in MLflow that hold a search's objectives, where it has several; of one, `value` is enough."""
    metrics = search.objectives if search else {}
    return [plain_name(f"objective/{metric}") for metric in metrics] if len(metrics) > 1 else []


def plain_params(knobs: Mapping[str, Any]) -> dict[str, str]:
    """Knobs by their names in MLflow, with their values as text that it takes."""
    return {plain_name(path): plain_text(value, PARAM_LENGTH) for path, value in knobs.items()}


def plain_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Tags as MLflow keeps them; None is no tag."""
    return {key: plain_text(value, TAG_LENGTH) for key, value in tags.items() if value is not None}


def plain_number(value: float) -> float:
    """MLflow keeps NaN, but turns infinities into 1.8e308, which nobody measured."""
    return float(value) if math.isfinite(value) else math.nan


def plain_name(name: str) -> str:
    """A name of a metric or param as MLflow takes it."""
    return posixpath.normpath(re.sub(r"[^\w\-. :/]", "_", name))[:NAME_LENGTH]


def plain_text(value: Any, length: int) -> str:
    """A value as text of so many characters at most; lists and tables as JSON."""
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def milliseconds(seconds: float) -> int:
    """Unix seconds as MLflow's times, which are whole milliseconds."""
    return round(seconds * 1000)


def last_heard(study: StudyFiles, record: RunRecord) -> int:
    """When the run ended, or was last heard of (Unix milliseconds)."""
    if record.ended is not None:
        return milliseconds(record.ended)
    heard = [line["time"] for _, key in record.stages for line in study.journals.get(key, ())]
    return milliseconds(max([record.started, *heard]))
