"""Tissue tables: relaxation times, proton density and gadolinium uptake, of brains at 3 T and of heads at 1.5 T.

Of a brain with a glioma (`TISSUES`), times lie within the published ranges (Wansapura et al. 1999 and Stanisz et al.
2005 for normal tissue, MR fingerprinting of gliomas and Schad et al. 1989 for tumours); within them they were chosen so
that the ratios to white matter lie where they lie in real volumes (see the test of this module); for the core, whose T1
and T2 are those of non-enhancing tumour, that took a lower proton density than reported. Spread between subjects:
Bojorquez et al., Magn Reson Imaging 2017, report far more between studies than the 7 % drawn here.

Of a head with a vestibular schwannoma (`HEAD_TISSUES`), times lie within published ranges where there are any
(BrainWeb; Stanisz et al. 2005; KomaMRI's pelvis for bone, marrow and fat). For the schwannoma none was found: it was
fitted so that its ratio to white matter is that of real images, bright in T1 after gadolinium and as dark as brain
beside the bright fluid of the cistern in CISS. Mucosa, muscle and vessels take up the agent too, so that not everything
that is bright after gadolinium is tumour.
"""

from collections.abc import Mapping

import numpy as np

from medsearch.phantoms.signals import Tissue

NORMAL = ("white matter", "grey matter", "deep grey matter", "fluid", "vessel", "choroid plexus", "lesion")
"""What a template may hold, in this order."""

TUMOUR = {"core": 1, "oedema": 2, "rim": 4}
"""What a tumour adds, with the label of BraTS. The core is necrotic (high grade) or does not enhance (low grade)."""

TISSUES: Mapping[str, Tissue] = {
    "white matter": Tissue(850.0, 75.0, 0.72, 0.007),
    "grey matter": Tissue(1400.0, 82.0, 0.82, 0.004),
    "deep grey matter": Tissue(1150.0, 74.0, 0.80, 0.004),
    "fluid": Tissue(3700.0, 1200.0, 1.00),
    "vessel": Tissue(1900.0, 200.0, 0.85, 1.0),
    "choroid plexus": Tissue(1900.0, 180.0, 0.88, 0.3),
    "lesion": Tissue(1350.0, 170.0, 0.76, 0.01),
    "core": Tissue(1850.0, 205.0, 0.735, 0.01),
    "oedema": Tissue(1350.0, 125.0, 0.80, 0.015),
    "rim": Tissue(1500.0, 114.0, 0.83, 0.15),
}

_SHARED_SD = 0.05
"""Of T1 and T2, common to a subject's tissues: scanner, temperature, age."""
_OWN_SD = 0.05
"""Of T1 and T2, one tissue for itself. With the shared one: 7 %."""
_FLUID_SD = 0.03
"""The same for fluid, which is nearly water in everyone."""
_DENSITY_SD = 0.02
_UPTAKE_SD = 0.25


def draw_tissues(rng: np.random.Generator, table: Mapping[str, Tissue] = TISSUES) -> dict[str, Tissue]:
    """One subject's tissues, scattered around the table's."""
    t1, t2 = np.exp(_SHARED_SD * rng.standard_normal(2))
    tissues = {}
    for name, tissue in table.items():
        own1, own2, density, uptake = rng.standard_normal(4)
        sd, shared1, shared2 = (_FLUID_SD, 1.0, 1.0) if name == "fluid" else (_OWN_SD, t1, t2)
        tissues[name] = Tissue(
            t1=float(tissue.t1 * shared1 * np.exp(sd * own1)),
            t2=float(tissue.t2 * shared2 * np.exp(sd * own2)),
            density=float(tissue.density * np.exp(_DENSITY_SD * density)),
            gadolinium=float(tissue.gadolinium * np.exp(_UPTAKE_SD * uptake)),
        )
    return tissues


HEAD = (*NORMAL, "bone", "marrow", "muscle", "fat", "mucosa")
"""What a template of a head may hold, in this order; the rest of it is air."""

GROWN = ("schwannoma", "cyst")
"""What a tumour adds."""

HEAD_TISSUES: Mapping[str, Tissue] = {
    "white matter": Tissue(650.0, 80.0, 0.72, 0.007),
    "grey matter": Tissue(1000.0, 88.0, 0.82, 0.004),
    "deep grey matter": Tissue(850.0, 80.0, 0.80, 0.004),
    "fluid": Tissue(4000.0, 1500.0, 1.00),
    "vessel": Tissue(1450.0, 225.0, 0.85, 1.0),
    "choroid plexus": Tissue(1400.0, 200.0, 0.88, 0.3),
    "lesion": Tissue(752.0, 237.0, 0.76, 0.01),
    "bone": Tissue(100.0, 0.3, 0.20),
    "marrow": Tissue(380.0, 52.0, 0.40, 0.02),
    "muscle": Tissue(900.0, 47.0, 0.85, 0.03),
    "fat": Tissue(350.0, 70.0, 0.90),
    "mucosa": Tissue(1100.0, 90.0, 0.85, 0.25),
    "schwannoma": Tissue(1200.0, 110.0, 0.85, 0.25),
    "cyst": Tissue(1900.0, 250.0, 0.93, 0.01),
}
