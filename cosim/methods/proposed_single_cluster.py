"""`proposed_single_cluster`: sparse-and-orthogonal LoRA with all devices in one cluster.

Symbols of arXiv 2602.20492: A_i frozen, N(0,1)/√k, own seed (eq. 16); s_l shared out over the
layers by the spectral entropy of W0·C under Q_budget = density·Σd·r (eq. 20-22, corrected); M_i
the top s_l of |∂L/∂B| of each module after the first mini-batch (eq. 18); aggregation
B̄ = ΣB_j⊙M_j / max(1, ΣM_j), read back as (B̄⊙M_j)·A_j (eq. 10 and 24, corrected); at inference
a gate per sequence over the experts (eq. 27, corrected).
"""

from cosim.methods.aggregation.support_normalised import SupportNormalised
from cosim.methods.composition.gate import Gate
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.method import Method
from cosim.methods.projection.frozen import Frozen
from cosim.methods.topology.complete import Complete

METHOD = Method(
    name="proposed_single_cluster",
    reference="arXiv 2602.20492, 'Proposed (single cluster)'",
    projection=Frozen(seed="own"),
    expansion=EntropyMask(),
    topology=Complete(),
    aggregation=SupportNormalised(),
    composition=Gate(),
)
