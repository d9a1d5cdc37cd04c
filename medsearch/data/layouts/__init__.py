"""Layouts: how a public data set names its folders and files. One module per data set.

A layout looks at names only, so that a plan can be printed at once; what the files hold is checked in
`medsearch.data.checks`.
"""

from collections.abc import Mapping

from medsearch.core.errors import BadInput
from medsearch.data.layouts.brats2020 import BraTS2020
from medsearch.data.layouts.crossmoda import CROSSMODA_2021, CROSSMODA_2022, CrossMoDA
from medsearch.data.layouts.scans import PHANTOM_RECORD, Layout, Scan

__all__ = ["LAYOUTS", "PHANTOM_RECORD", "BraTS2020", "CrossMoDA", "Layout", "Scan", "layout"]

LAYOUTS: Mapping[str, Layout] = {known.name: known for known in (BraTS2020(), CROSSMODA_2021, CROSSMODA_2022)}


def layout(name: str) -> Layout:
    """The layout called `name`.

    Raises:
        BadInput: there is none.
    """
    if name not in LAYOUTS:
        msg = f"no layout {name!r}; choose one of {', '.join(LAYOUTS)}"
        raise BadInput(msg)
    return LAYOUTS[name]
