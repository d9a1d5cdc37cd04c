"""MLflow as a view of the ledger and the stage store, brought up to date from outside the search.

Nothing in the search ever talks to MLflow: workers write journals, the driver writes the ledger, and a sender in a
process of its own reads both and sends what is new. Killed at any moment, started twice, or kept waiting by a dead
server, it ends with the same runs, because a plan is the difference between the files and what the server has:

    reading    what the files say, piece by piece;             summary            of an ablation, its report
    shown      the runs that MLflow should show (pure): `trials` of a search, `rows` of an ablation with
anything that is in the ledger: where that is lost, the same command finds the same runs.
"""

from medsearch.tracking.follower import Follower, start_follower
from medsearch.tracking.report import SyncReport
from medsearch.tracking.sender import sync

__all__ = ["Follower", "SyncReport", "start_follower", "sync"]
