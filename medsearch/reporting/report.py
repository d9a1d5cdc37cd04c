"""The report of a study, whatever its kind: rebuilt from its folder and the stage store."""

from pathlib import Path

from medsearch.stages.store import Store


def rebuild(folder: Path, store: Store) -> Path:
    """Write the report of the study in `folder`, finished or not, and return the path of its page.

    Raises:
        BadInput: there is no study in `folder`.

    """
    from medsearch.reporting.search.collect import collect
    from medsearch.reporting.search.report import write_report

    return write_report(collect(folder, store), folder / "report")
