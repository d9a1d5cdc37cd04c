"""MLflow as a view of the ledger and the stage store, brought up to date from outside the search.

Nothing in the search ever talks to MLflow: workers write journals, the driver writes the ledger, and a sender in a
process of its own reads both and sends what is new. Killed at any moment, started twice, or kept waiting by a dead
server, it ends with the same runs, because a plan is the difference between the files and what the server has:

    reading    what the files say, piece by piece;             summary            of an ablation, its report
    shown      the runs that MLflow should show (pure): `trials` of a search, `rows` of an ablation with
               `counts`, how far each has come, and `labels`, names and tags;
               wanted, series     what a run is, and its metrics and pictures
    views      the saved views of MLflow's pages (pure);       charts, saved      the JSON in which the pages keep them
    planning   the operations that are missing (pure)
    mirror     doing them, and what the server then holds;     server, backend    MLflow behind an interface
    sender     the whole round; `sync` is one of it;           receipts           locks, and which files were uploaded
    follow     the process beside the driver;                  follower           the driver's handle on it
    ui         the pages over a home;                          origin             whose runs a study's are

Credentials in a tracking URI go to the follower by its standard input and to MLflow's server by its environment, never
by a command line; they are left out of every message.

A run is found by its tags medsearch.run (<study>/<run>) and medsearch.origin (which tells this study from another of
the same name on a shared server, and is derived from the home and the study's name), never by a remembered id nor by
anything that is in the ledger: where that is lost, the same command finds the same runs.
"""

from medsearch.tracking.follower import Follower, start_follower
from medsearch.tracking.report import SyncReport
from medsearch.tracking.sender import sync

__all__ = ["Follower", "SyncReport", "start_follower", "sync"]
