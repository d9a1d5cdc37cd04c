"""What a staged search is refused for when its file is loaded, beyond what its searches are."""

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs
from medsearch.study.refinement import Refinement
from medsearch.study.setups import Scaled, require_folder_name

if TYPE_CHECKING:
    from medsearch.study.staged import StagedSearch


def require_groups(staged: "StagedSearch") -> None:
    """Refuse groups that are none, share a name or a knob, or have not one metric.

    Raises:
        BadInput: they do.

    """
    if not staged.groups:
        msg = f"staged search {staged.name!r} has no groups; name at least one Group in `groups`"
        raise BadInput(msg)
    frozen: dict[str, str] = {}
    for group in staged.groups:
        require_folder_name(group.name)
        if len(group.objective) != 1:
            msg = f"group {group.name!r} has {len(group.objective)} objectives; it is frozen by one metric, name that"
            raise BadInput(msg)
        for knob in (*group.space, *group.fixed):
            if knob in frozen:
                msg = f"knob {knob!r} of group {group.name!r} is frozen by group {frozen[knob]!r}; leave it to one"
                raise BadInput(msg)
        frozen |= dict.fromkeys(group.space, group.name)
    names = [group.name for group in staged.groups]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"groups {', '.join(map(repr, twice))} come twice in {staged.name!r}; give each a name of its own"
        raise BadInput(msg)


def require_published(staged: "StagedSearch") -> None:
    """Refuse a published value of a knob that no search knows.

    Raises:
        BadInput: there is one.

    """
    for knob in staged.published:
        if knob not in staged.domains and knob not in staged.fixed:
            msg = f"published value of {knob!r}, which is neither searched nor fixed; name it in one of the two"
            raise BadInput(msg)


def require_weights(staged: "StagedSearch") -> None:
    """Refuse a weight that is no knob of the method.

    Raises:
        BadInput: there is one.

    """
    known = knobs(staged.method.recipe)
    for knob in staged.weights:
        if knob not in known:
            near = difflib.get_close_matches(knob, list(known), n=1, cutoff=0.0)[0]
            msg = f"weights name {knob!r}, which is no knob of {staged.method.name}; did you mean {near!r}?"
            raise BadInput(msg)


def require_refinement(staged: "StagedSearch", refinement: Refinement) -> None:
    """Refuse a refinement that moves what nobody searched, or that nothing is tested of.

    Raises:
        BadInput: it does.

    """
    unknown = [knob for knob in refinement.knobs if knob not in staged.domains]
    if unknown:
        known = ", ".join(staged.domains)
        msg = f"the refinement moves {unknown[0]!r}, which no group searches; the groups search {known}"
        raise BadInput(msg)
    if min(_numbers(refinement.finalists)) < 1:
        msg = "the refinement has no finalists, so nothing is tested over seeds; give it one or more"
        raise BadInput(msg)
    if staged.groups[-1].scored_stage:
        msg = (
            f"the last group, {staged.groups[-1].name!r}, is scored by {staged.groups[-1].scored_stage!r}, but a "
            "refinement is tested, which takes every stage; leave its scored_stage out, or say refinement=None"
        )
        raise BadInput(msg)


def _numbers(of: Scaled[int]) -> list[int]:
    return list(of.values()) if isinstance(of, Mapping) else [of]
