"""`proposed_literal`: the proposed method with every equation as arXiv 2602.20492 prints it.

A_i ~ N(0, 1) refined by the mean input (eq. 16, 26), the spectrum of W0 (eq. 20), densities of 1
(eq. 22), the largest signed B of the first mini-batch (eq. 18), weights α_j/‖u‖ (eq. 10), every
A_j on the whole average (eq. 24), and the r largest ranks of all experts (eq. 29). Each printed
reading is a setting of its part; a scenario that leaves some out sees what each of them does.
"""

from cosim.methods.aggregation.support_normalised import SupportNormalised
from cosim.methods.composition.ranks import Ranks
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.projection.frozen import Frozen
from cosim.methods.proposed import METHOD as CORRECTED
from cosim.methods.topology.complete import Complete
from cosim.methods.weights.as_printed import AsPrinted

METHOD = CORRECTED.with_(
    name="proposed_literal",
    reference="arXiv 2602.20492, 'Proposed Method', as printed",
    projection=Frozen(scaled=False, refined=True),
    expansion=EntropyMask(ranked_by="first_step", spectrum="weights", budget="whole"),
    # A density of 1 collides everywhere, and no S_max below 1 would let any cluster form.
    topology=Complete(),
    weights=AsPrinted(),
    aggregation=SupportNormalised(readback="whole"),
    composition=Ranks(),
)
