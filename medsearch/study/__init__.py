"""Studies: a question as data, and the engine that answers it on one machine or on a cluster.

    declare     what a study file says, as plain data that is checked when it is loaded: a search, an ablation (rows,
                columns, figures) or a staged search (searches that stand on each other), and what they are made of
    record      what a study writes down: its header, and its ledger of runs
    engine      what comes next and what came of it, without Ray: drivers hand out jobs and write down how they end
    ray         a driver on Ray Tune
    plan        what is left of a study of any kind, without doing it
    progress    the terminal while it runs

Ray, Optuna and MLflow are imported when they are needed, and nowhere else in the package.
"""

from medsearch.study.declare.ablation import Ablation, Curves, GroupedBars, Panels
from medsearch.study.declare.rules import Best, Reaching
from medsearch.study.declare.samplers import GP, NSGA2, QMC, TPE, Random
from medsearch.study.declare.schedulers import ASHA, FullLength, Median
from medsearch.study.declare.search import Search
from medsearch.study.declare.spaces import choice, integers, loguniform, uniform
from medsearch.study.declare.staged import Group, Refinement, StagedSearch
from medsearch.study.declare.variants import Variant, grid

__all__ = [
    "ASHA",
    "GP",
    "NSGA2",
    "QMC",
    "TPE",
    "Ablation",
    "Best",
    "Curves",
    "FullLength",
    "Group",
    "GroupedBars",
    "Median",
    "Panels",
    "Random",
    "Reaching",
    "Refinement",
    "Search",
    "StagedSearch",
    "Variant",
    "choice",
    "grid",
    "integers",
    "loguniform",
    "uniform",
]
