"""MLflow as a view of the ledger and the stage store, brought up to date from outside the search.

Nothing in the search ever talks to MLflow: workers write journals, the driver writes the ledger, and a sender in a
process of its own reads both and sends what is new. Killed at any moment, started twice, or kept waiting by a dead
server, it ends with the same runs, because it sends the difference between the files and what the server has:

    reading          what the files say, piece by piece; of an ablation also its report's table
    desired_runs     what MLflow should show (pure): `search_runs` of a search, `ablation_runs` of an ablation
    views            the saved views of MLflow's pages (pure); `saved_views` has the JSON in which the pages keep them
    mirror           the operations that are missing (pure), doing them, and what the server then holds
    server, backend  MLflow's client, and which MLflow it is
    sender           the whole round, with its locks and which files were uploaded; `sync` is one of it
    follow           the process beside the driver; `follower` is the driver's handle on it
    ui               the pages over a home; `origin`: whose runs a study's are

Credentials in a tracking URI go to the follower by its standard input and to MLflow's server by its environment, never
by a command line; they are left out of every message.

A run is found by its tags medsearch.run (<study>/<run>) and medsearch.origin (which tells this study from another of
the same name on a shared server, and is derived from the home and the study's name), never by a remembered id nor by
anything that is in the ledger: where that is lost, the same command finds the same runs.
"""

from medsearch.tracking.follower import Follower, start_follower
from medsearch.tracking.sender import SyncReport, sync

__all__ = ["Follower", "SyncReport", "start_follower", "sync"]
