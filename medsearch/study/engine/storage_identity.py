"""The mark of a question on its trials in the sampler's storage, which may outlive the study's folder.

Optuna knows a study by its name alone. Where a folder was removed and the same name is asked something else, as a group
of a staged search is on other frozen values, trials of the old question would pass for those of the new one.
"""

from typing import TYPE_CHECKING, Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import fingerprint, knobs
from medsearch.study.declare.search import Search
from medsearch.study.engine.databases import shown
from medsearch.study.engine.identity import domain_of

if TYPE_CHECKING:
    import optuna

MARK = "question"
"""The user attribute of Optuna's study."""


def mark_of(search: Search) -> dict[str, str]:
    """What trials answer, each part by a fingerprint."""
    here, setup = search.resolved, search.setup({})
    still: dict[str, Any] = {knob: v for knob, v in knobs(setup.recipe).items() if knob not in here.domains}
    return {
        "space": fingerprint({knob: domain_of(domain) for knob, domain in here.domains.items()}),
        "objective": fingerprint(dict(search.objectives)),
        "start": fingerprint(dict(here.start)),
        "recipe": fingerprint(still),
        "task": fingerprint(setup.task),
    }


def require_own(study: "optuna.Study", search: Search, url: str) -> None:
    """Refuse trials of another question, and mark a study that has none yet; one without a mark is an old one.

    Raises:
        BadInput: the trials are another question's.

    """
    ours, theirs = mark_of(search), study.user_attrs.get(MARK)
    if theirs is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(MARK, ours)
        return
    parts = ", ".join(part for part in ours if theirs is not None and theirs.get(part) != ours[part])
    if parts:
        msg = (
            f"the sampler's storage {shown(url)} has trials of study {search.name!r} with another {parts}; delete them "
            f"with `optuna delete-study --study-name {search.name} --storage URL`, or choose another study name"
        )
        raise BadInput(msg)
