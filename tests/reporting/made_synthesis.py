"""Toy studies of synthesis, run once: a search with a front, and a table without Dice."""

from pathlib import Path

from medsearch.core.records import write_json
from medsearch.reporting.collect import IMPORTANCES
from medsearch.stages.store import Store
from medsearch.study.engine.identity import note
from tests.study.ablations import sweep_of, sweep_out
from tests.study.ray.drive import carry_out, driver_of
from tests.study.synthesis import table, weight_search


def searched(home: Path, *, objectives: dict[str, str] | None = None) -> tuple[Path, Store]:
    """The folder and the store of the search; trials whose idt is above 0.9 diverge."""
    changes = {"objectives": objectives} if objectives else {}
    driver = driver_of(weight_search(toy={"cyclegan.accident": "diverge"}, **changes), home)
    carry_out(driver)
    note(driver.ledger, chosen=driver.finalists)
    shares, why = driver.proposals.importances()
    write_json(driver.ledger.folder / IMPORTANCES, {"shares": shares, "why": why})
    return driver.ledger.folder, driver.store


def tabled(home: Path) -> tuple[Path, Store]:
    """The folder and the store of the table."""
    sweep = sweep_of(table(), home)
    sweep_out(sweep)
    return sweep.ledger.folder, sweep.store
