"""Everything that MLflow should show of a study, whichever kind it is."""

from collections.abc import Iterator

from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.desired_runs import DesiredRun
from medsearch.tracking.reading import File, Study
from medsearch.tracking.rows import wanted_ablation, wanted_rows, wanted_stage
from medsearch.tracking.trials import wanted_search, wanted_trial


def wanted_parent(study: Study, *, live: bool, report: tuple[File, ...] = ()) -> DesiredRun:
    """The study itself. `live`: its driver is at work; `report`: the files of its page."""
    if study.ablation is not None:
        return wanted_ablation(study, study.ablation, live=live, report=report)
    return wanted_search(study, live=live, report=report)


def wanted_groups(study: Study, *, live: bool) -> Iterator[DesiredRun]:
    """The runs between the parent and those of the ledger; a search has none."""
    if study.ablation is not None:
        yield from wanted_rows(study, study.ablation, live=live)


def wanted_run(study: Study, record: RunRecord, *, live: bool) -> DesiredRun:
    """One run of the ledger."""
    if study.ablation is not None and record.role == "stage":
        return wanted_stage(study, study.ablation, record, live=live)
    return wanted_trial(study, record, live=live)
