"""What a study file says: searches, ablations and staged searches as plain data, checked when they are made."""

from typing import TypeAlias

from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch

Study: TypeAlias = Search | StagedSearch | Ablation
"""What a study file declares, of any kind."""
