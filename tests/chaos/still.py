"""A study without Ray, MLflow or mishaps: job after job in this process, in a home of its own."""

import runpy
import sys
from pathlib import Path

from medsearch.cli.cohorts import Data
from medsearch.reporting.report import rebuild
from medsearch.stages.context import Runtime
from medsearch.study import Ablation
from medsearch.study.ablation_header import begin, describe
from medsearch.study.conducting import Conducts
from medsearch.study.graph import Grapher
from medsearch.study.jobs import End, Job, perform
from medsearch.study.ledger import Ledger
from medsearch.study.sweep import Sweep

from .driving import STUDIES


def sit_still(study: str, heads: Path, home: Path) -> Path:
    """Run the study file `study` to its end and write its report; returns `home`."""
    if str(STUDIES) not in sys.path:
        sys.path.append(str(STUDIES))
    ablation = runpy.run_path(str(STUDIES / f"{study}.py"))["STUDY"].at("tiny")
    assert isinstance(ablation, Ablation)
    data = Data(
        folders={"brats2020": heads}, anatomy=None, skip_bad=False, home=home, store=None, cache=None, say=print
    )
    places = data.places([ablation.setup(row, column, {}).task for row, column in ablation.cells()])
    place = places["brats2020"]
    ledger = Ledger(place.study(ablation.name))
    grapher = Grapher(ablation, places)
    begin(grapher, ledger)
    sweep = Sweep(grapher, store=place.store, ledger=ledger)
    _carry_out(sweep)
    describe(grapher, ledger, sweep.failed)
    rebuild(ledger.folder, place.store)
    return home


def _carry_out(conductor: Conducts) -> None:
    while isinstance(job := conductor.next(), Job):
        conductor.ended(job.run, _done(job, conductor))


def _done(job: Job, conductor: Conducts) -> End:
    work = perform(job, conductor.store, runtime=Runtime())
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
