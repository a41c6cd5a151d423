"""`proposed_single_cluster`: sparse-and-orthogonal LoRA with all devices in one cluster.

Symbols of arXiv 2602.20492: A_i frozen, N(0,1)/√k, own seed (eq. 16); M_i the top s of |∂L/∂B|
of each module after the first mini-batch (eq. 18), s uniform over the layers; aggregation
B̄ = ΣB_j⊙M_j / max(1, ΣM_j), read back as (B̄⊙M_j)·A_j (eq. 10 and 24, corrected).
"""

from cosim.methods.recipe import Complete, Recipe

RECIPE = Recipe(
    name="proposed_single_cluster",
    reference="arXiv 2602.20492, 'Proposed (single cluster)', uniform density",
    projection="frozen_own_seed",
    expansion="gradient_mask",
    topology=Complete(),
    aggregation="support_normalised",
    composition="oracle",
)
