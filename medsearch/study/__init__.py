"""Studies: a question as data, and the engine that answers it on one machine or on a cluster.

    search, spaces, samplers, schedulers    what a study file declares of a search; plain data, checked when loaded
    ablation, variants, figures             what it declares of a table or a figure
    staged, groups, rules, refinement       what it declares of a staged search: searches that stand on each other
    run_order, graph                        what comes next (pure): trials and their repeats; stage runs of all cells
    plan                                    what is left, without doing it: search_plan, ablation_plan, staged_plan
    driver                                  hands out jobs and writes down their ends: search_driver, ablation_driver
    execution                               a driver on Ray Tune: searcher, rungs, worker, cluster, interruption;
                                            cluster_loss and lost_workers say what becomes of it when processes die
    course, freezing, pinning, staged_run   the searches of a staged search one after another, and what each freezes
    code                                    which stored stages other code has trained, and whether they are anew
    identity, marks                         whether a folder, and trials in the sampler's storage, are this question's
    progress                                the terminal while it runs
    record, ledger, tracking                what a study is and what happened, on disk and in MLflow

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
