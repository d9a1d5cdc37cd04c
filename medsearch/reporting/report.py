"""The report of a study, whatever its kind: rebuilt from its folder and the stage store."""

from pathlib import Path

from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger
from medsearch.study.record import AblationHeader, StagedHeader


def rebuild(folder: Path, store: Store) -> Path:
    """Write the report of the study in `folder`, finished or not, and return the path of its page.

    Raises:
        BadInput: there is no study in `folder`.

    """
    match Ledger(folder).header():
        case AblationHeader():
            from medsearch.reporting.ablation.collect import collect as collect_ablation
            from medsearch.reporting.ablation.report import write_report as write_ablation

            return write_ablation(collect_ablation(folder, store), folder / "report")
        case StagedHeader():
            from medsearch.reporting.staged.collect import collect as collect_staged
            from medsearch.reporting.staged.report import write_report as write_staged

            return write_staged(collect_staged(folder, store), folder / "report")
        case _:
            from medsearch.reporting.search.collect import collect
            from medsearch.reporting.search.report import write_report

            return write_report(collect(folder, store), folder / "report")
