"""Whole headers and events of made-up studies, of which a test names what matters to it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from medsearch.core.codec import encoded
from medsearch.study.record.headers import (
    AblationHeader,
    About,
    Axis,
    Column,
    Finished,
    Frozen,
    Group,
    Header,
    Refinement,
    Row,
    Scheduler,
    SearchHeader,
    StagedHeader,
    Started,
)
from medsearch.study.record.ledger import HEADER, Ledger

H = TypeVar("H", bound=Header)

ABOUT = About(cohort="toy", phantom=True)
SHARED: dict[str, Any] = {"method": "modatts", "scale": "tiny", "seeds": (0,), "fixed": {}}
DATA: dict[str, Any] = {
    "selection": "source", "task": {"source": "t1", "target": "t2"}, "cohort": "f00d", "subjects": 12, "about": ABOUT
}  # fmt: skip
RATE = "segmentation.lr"


def search_header(**changes: Any) -> SearchHeader:
    """A search of one knob over two trials, of which one is a finalist."""
    return replace(
        SearchHeader(
            name="a_search",
            **SHARED,
            **DATA,
            space={RATE: Axis(domain="uniform", low=0.001, high=0.1, log=True)},
            nuisance={},
            scheduler=Scheduler(),
            searched_stage="segmentation",
            objectives={"validation/dice": "maximize"},
            trials=2,
            finalists=1,
            references=(),
        ),
        **changes,
    )


def ablation_header(**changes: Any) -> AblationHeader:
    """An ablation of one row in one column, of which no cell is known yet."""
    return replace(
        AblationHeader(
            name="an_ablation",
            **SHARED,
            columns=(column_header("t1 to t2"),),
            rows=(Row(label="Proposed", columns=("t1 to t2",)),),
            metrics=("test/dice",),
            reported=(),
            cells=(),
            candidates=(),
        ),
        **changes,
    )


def column_header(label: str, **changes: Any) -> Column:
    """A column of an ablation."""
    return replace(
        Column(label=label, layout="brats2020", **DATA),
        **changes,
    )


def staged_header(**changes: Any) -> StagedHeader:
    """A staged search of one group, which has frozen its knob, and a refinement."""
    return replace(
        StagedHeader(
            name="a_staged_search",
            **SHARED,
            **DATA,
            groups=(
                Group(
                    name="rate",
                    study="a_staged_search.1-rate",
                    metric="validation/dice",
                    direction="maximize",
                    space={RATE: Axis(low=0.001, high=0.1, log=True)},
                    trials=2,
                    rule="the best",
                    frozen=Frozen(knobs={RATE: 0.01}, number=1, value=0.7, seeds=1, why="the best of 2 trials"),
                ),
            ),
            refinement=Refinement(
                study="a_staged_search.refinement",
                metric="validation/dice",
                direction="maximize",
                trials=2,
                finalists=1,
                factor=2.0,
                knobs=(RATE,),
            ),
        ),
        **changes,
    )


def started(**changes: Any) -> Started:
    """The first run of a study begins."""
    return Started(
        **{
            "run": "prefix-0", "role": "prefix", "number": None, "label": "", "seed": 0, "knobs": {}, "stages": (),
            "time": 1.0, **changes,
        }
    )  # fmt: skip


def finished(**changes: Any) -> Finished:
    """It has ended."""
    return Finished(
        **{
            "run": "prefix-0", "state": "complete", "value": None, "rung": None, "reason": None, "cause": None,
            "time": 2.0, **changes,
        }
    )  # fmt: skip


def written(ledger: Ledger, kind: type[H]) -> H:
    """The header in a study's folder, which is one of `kind`."""
    header = ledger.header(kind)
    assert header is not None
    return header


def put(folder: Path, header: Header, **edited: Any) -> None:
    """Write a header without a seal, as older versions did. edited: fields of its text; `...` leaves one out."""
    content = {name: value for name, value in {**encoded(header), **edited}.items() if value is not ...}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEADER).write_text(json.dumps(content))
