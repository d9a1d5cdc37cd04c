"""The tissue table of a head with a vestibular schwannoma: relaxation times, proton density and gadolinium at 1.5 T.

Times lie within published ranges where there are any (BrainWeb; Stanisz et al. 2005; KomaMRI's pelvis for bone, marrow
and fat). For the schwannoma none was found: it was fitted so that its ratio to white matter is that of real images,
bright in T1 after gadolinium and as dark as brain beside the bright fluid of the cistern in CISS. Mucosa, muscle and
vessels take up the agent too, so that not everything that is bright after gadolinium is tumour.
"""

from collections.abc import Mapping

from medsearch.phantoms.signals import Tissue
from medsearch.phantoms.tissues import NORMAL

HEAD = (*NORMAL, "bone", "marrow", "muscle", "fat", "mucosa")
"""What a template of a head may hold, in this order; the rest of it is air."""

GROWN = ("schwannoma", "cyst")
"""What a tumour adds."""

TISSUES: Mapping[str, Tissue] = {
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
