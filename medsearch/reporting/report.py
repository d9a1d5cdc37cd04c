"""The report of a study, whatever its kind: rebuilt from its folder and the stage store."""

from pathlib import Path

from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger


def rebuild(folder: Path, store: Store) -> Path:
    """Write the report of the study in `folder`, finished or not, and return the path of its page.

    Raises:
        BadInput: there is no study in `folder`.

    """
    match kind_of(folder):
        case "ablation":
            from medsearch.reporting.ablation.collect import collect as collect_ablation
            from medsearch.reporting.ablation.report import write_report as write_ablation

            return write_ablation(collect_ablation(folder, store), folder / "report")
        case "staged":
            from medsearch.reporting.staged.collect import collect as collect_staged
            from medsearch.reporting.staged.report import write_report as write_staged

            return write_staged(collect_staged(folder, store), folder / "report")
        case _:
            from medsearch.reporting.search.collect import collect
            from medsearch.reporting.search.report import write_report

            return write_report(collect(folder, store), folder / "report")


def kind_of(folder: Path) -> str:
    """The kind of the study in `folder`: "search", "staged" or "ablation"; a search where nothing says otherwise."""
    return str(Ledger(folder).header().get("kind", "search"))
