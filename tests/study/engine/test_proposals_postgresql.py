"""The sampler's memory on a real PostgreSQL that is restarted, crashed, and taken away."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from medsearch.core.errors import BadInput
from medsearch.core.remote import Unreachable
from medsearch.study import TPE
from medsearch.study.engine import databases, proposals
from medsearch.study.engine.jobs import RunResult
from medsearch.study.engine.proposals import Proposals, sqlite
from tests.postgres import PostgreSQL, postgresql
from tests.study.engine.test_proposals import told
from tests.study.ray.drive import search

__all__ = ["postgresql"]

pytestmark = pytest.mark.soak


def test_restarts_and_crashes_change_no_proposal(postgresql: PostgreSQL, tmp_path: Path) -> None:
    what = search(sampler=TPE(startup=2))
    whole = told(Proposals(what, sqlite(tmp_path)), 6)
    memory = Proposals(what, postgresql.database("sampler"))
    found = told(memory, 2)
    postgresql.restart()  # its connections are dead, and nobody has noticed
    found += told(memory, 3, first=2)
    for crash, number in ((False, 3), (True, 4)):
        (postgresql.crash if crash else postgresql.stop)()
        back = threading.Timer(1.5, postgresql.start)
        back.start()
        found += told(memory, number + 1, first=number)
        back.join()
    postgresql.restart()
    found += told(Proposals(what, memory.url), 6, first=5)
    assert found == whole
    ended = list(memory.ended())
    assert [number for number, _, _ in ended] == list(range(6)), "no trial twice, none lost"


def test_a_connection_lost_within_a_transaction_changes_no_proposal(postgresql: PostgreSQL, tmp_path: Path) -> None:
    what = search(sampler=TPE(startup=2))
    whole = told(Proposals(what, sqlite(tmp_path)), 4)
    memory = Proposals(what, postgresql.database("lost"))
    found = told(memory, 2)
    struck = []

    @event.listens_for(Engine, "before_cursor_execute")
    def strike(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Optuna reads trials in several statements; it takes a failure of one for its size, and asks again."""
        if "FROM trial_system_attributes" in statement and not struck:
            struck.append(statement)
            postgresql.end_connections(connection.engine.url.database or "")

    try:
        found += told(memory, 4, first=2)
    finally:
        event.remove(Engine, "before_cursor_execute", strike)
    assert struck
    assert found == whole


def test_a_server_that_stays_away_is_one_line(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PAUSES", (0.1, 0.1))
    monkeypatch.setattr(proposals, "OPENING", (0.1,))
    what, url = search(), postgresql.database("gone")
    memory = Proposals(what, url)
    told(memory, 1)
    postgresql.stop()
    try:
        with pytest.raises(
            Unreachable, match=r"^the sampler's storage at postgresql://127.*run the same command"
        ) as one:
            memory.tell(1, RunResult(state="complete", values=(1.0,)))
        with pytest.raises(BadInput, match=r"^cannot open the sampler's storage postgresql://127.*refused") as other:
            Proposals(what, url)
    finally:
        postgresql.start()
    for words in (str(one.value), str(other.value)):
        assert postgresql.password not in words
        assert len(words.splitlines()) == 1
    memory.tell(1, RunResult(state="complete", values=(1.0,)))
    told(memory, 2, first=1)
