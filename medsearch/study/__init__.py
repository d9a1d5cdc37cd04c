"""Studies: a question as data, and the engine that answers it on one machine or on a cluster.

    search, spaces, samplers, schedulers    what a study file declares; plain data, checked when it is loaded
    plan                                    what is left to do, without doing it
    agenda                                  what comes next (pure)
    jobs                                    one run as work that can be done anywhere
    conductor                               agenda + ledger + proposals: hands out jobs, writes down their ends
    execution                               the conductor on Ray Tune: searcher, rungs, worker, cluster, interruption
    progress                                the terminal while it runs
    ledger, tracking                        what happened, on disk and in MLflow

Ray, Optuna and MLflow are imported when they are needed, and nowhere else in the package.
"""

from medsearch.study.samplers import GP, NSGA2, QMC, TPE, Random
from medsearch.study.schedulers import ASHA, FullLength, Median
from medsearch.study.search import Search, Variant
from medsearch.study.spaces import choice, integers, loguniform, uniform

__all__ = [
    "ASHA",
    "GP",
    "NSGA2",
    "QMC",
    "TPE",
    "FullLength",
    "Median",
    "Random",
    "Search",
    "Variant",
    "choice",
    "integers",
    "loguniform",
    "uniform",
]
