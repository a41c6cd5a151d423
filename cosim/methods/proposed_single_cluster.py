"""`proposed_single_cluster`: sparse-and-orthogonal LoRA with all devices in one cluster.

Symbols of arXiv 2602.20492: A_i frozen, N(0,1)/√k, own seed (eq. 16); s_l shared out over the
layers by the spectral entropy of W0·C under Q_budget = density·Σd·r (eq. 20-22, corrected); M_i
the top s_l of |∂L/∂B| of each module after the first mini-batch (eq. 18); aggregation
B̄ = ΣB_j⊙M_j / max(1, ΣM_j), read back as (B̄⊙M_j)·A_j (eq. 10 and 24, corrected); at inference
a gate per sequence over the experts (eq. 27, corrected).
"""

from cosim.methods.recipe import Recipe
from cosim.methods.topologies import Complete

RECIPE = Recipe(
    name="proposed_single_cluster",
    reference="arXiv 2602.20492, 'Proposed (single cluster)'",
    projection="frozen_own_seed",
    expansion="entropy_mask",
    topology=Complete(),
    aggregation="support_normalised",
    composition="gate",
)
