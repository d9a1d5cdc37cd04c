"""The metrics and pictures of stages, as MLflow is to hold them."""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medsearch.tracking.desired_runs import Point, milliseconds, plain_name, plain_number
from medsearch.tracking.reading import File, Finished, Study

IMAGES = "images"
"""The folder of artifacts in which MLflow's pages look for images by key and step."""


def epochs(study: Study, node: str, key: str) -> tuple[tuple[Point, ...], ...]:
    """Every epoch of a stage, named <node>/<domain>/<split>/<metric>."""
    return tuple(
        _points(line["metrics"], node, line.get("domains", {}), time=line["time"], step=int(line["epoch"]))
        for line in study.journals.get(key, ())
    )


def outcome(node: str, of: Finished) -> tuple[Point, ...]:
    """What a finished stage ended with, named final/<node>/..."""
    metrics = of.metrics | ({} if of.seconds is None else {"seconds": of.seconds})
    points = _points(metrics, node, of.domains, time=of.time, step=0)
    return tuple(Point(f"final/{point.key}", point.value, point.time, point.step) for point in points)


def scores(of: Finished) -> tuple[Point, ...]:
    """What a test ended with, by the names that the table has for it."""
    metrics = of.metrics | ({} if of.seconds is None else {"seconds": of.seconds})
    return tuple(_point(name, value, time=of.time, step=0) for name, value in metrics.items() if _is_number(value))


def full_name(node: str, domain: str, name: str) -> str:
    """<node>/<domain>/<split>/<metric>; the domain where it is known, the node unless the name bears it already."""
    named = f"{domain}/{name}" if domain else name
    return plain_name(f"{node}/{named.removeprefix(f'{node}/')}")


def pictures(study: Study, stages: Iterable[tuple[str, str]]) -> Iterator[File]:
    """Each picture of finished stages twice, whole and small, named as MLflow's `log_image` names them.

    images/<key>+step+<step>+timestamp+<ms>+<uuid>.png, and the small one with +compressed.webp. Key is <node>/<name>;
    the step is the number behind "epoch" in the file's name, else 0. The uuid comes from the content.
    """
    for node, key in stages:
        if finished := study.finished.get(key):
            for file in finished.pictures:
                series, step = _series(f"{node}{file.folder.removeprefix('pictures')}/{file.path.stem}")
                stem = f"{series}+step+{step}+timestamp+{milliseconds(finished.time)}+{uuid.UUID(file.digest)}"
                yield File(file.path, IMAGES, file.digest, f"{stem}.png")
                yield File(file.path, IMAGES, file.digest, f"{stem}+compressed.webp", small=True)


def image_key(file: File) -> str:
    """The key under which MLflow's pages know a picture."""
    return file.label.partition("+")[0].replace("~", "/")


def _series(name: str) -> tuple[str, int]:
    epoch = re.search(r"[-_/ ]?epoch[-_ ]?(\d+)$", name)
    key = name[: epoch.start()] if epoch else name
    return re.sub(r"[^\w\-. /]", "_", key, flags=re.ASCII).replace("/", "~"), int(epoch[1]) if epoch else 0


def _points(
    metrics: Mapping[str, Any], node: str, domains: Mapping[str, str], *, time: float, step: int
) -> tuple[Point, ...]:
    return tuple(
        _point(full_name(node, domains.get(name.partition("/")[0], ""), name), value, time=time, step=step)
        for name, value in metrics.items()
        if _is_number(value)
    )


def _point(name: str, value: float, *, time: float, step: int) -> Point:
    return Point(plain_name(name), plain_number(value), milliseconds(time), step)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
