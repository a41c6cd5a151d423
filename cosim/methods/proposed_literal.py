"""`proposed_literal`: the proposed method with every equation as arXiv 2602.20492 prints it.

A_i ~ N(0, 1) refined by the mean input (eq. 16, 26), the spectrum of W0 (eq. 20), densities of 1
(eq. 22), the largest signed B of the first mini-batch (eq. 18), weights α_j/‖u‖ (eq. 10), every
A_j on the whole average (eq. 24), and the r largest ranks of all experts (eq. 29). `literal` names
the points; a scenario that leaves some out sees what each of them does.
"""

from cosim.methods.proposed import RECIPE as CORRECTED
from cosim.methods.topologies import Complete

RECIPE = CORRECTED.model_copy(
    update={
        "name": "proposed_literal",
        "reference": "arXiv 2602.20492, 'Proposed Method', as printed",
        # A density of 1 collides everywhere, and no S_max below 1 would let any cluster form.
        "topology": Complete(),
        "composition": "literal",
        "literal": (
            "projection",
            "refinement",
            "spectrum",
            "density",
            "mask",
            "weights",
            "readback",
        ),
    }
)
