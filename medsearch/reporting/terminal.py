"""The summary of a study in the terminal, with rich."""

from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger
from medsearch.study.record import AblationHeader, StagedHeader

if TYPE_CHECKING:
    from rich.console import RenderableType


def summary(folder: Path, store: Store) -> "RenderableType":
    """What the study in `folder` has come to, for `rich.console.Console.print`.

    Raises:
        BadInput: there is no study in `folder`.

    """
    match Ledger(folder).header():
        case AblationHeader():
            from medsearch.reporting.ablation.collect import collect as collect_ablation
            from medsearch.reporting.ablation.terminal import summary_text as ablation_text

            return ablation_text(collect_ablation(folder, store))
        case StagedHeader():
            from medsearch.reporting.staged.collect import collect as collect_staged
            from medsearch.reporting.staged.terminal import summary_text as staged_text

            return staged_text(collect_staged(folder, store))
        case _:
            from medsearch.reporting.search.collect import collect
            from medsearch.reporting.search.terminal import summary_text

            return summary_text(collect(folder, store))
