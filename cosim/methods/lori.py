"""`lori`: a frozen A, a tenth of B by magnitude after a dense warm-up, experts merged at the end.

LoRI (arXiv 2504.07448): A_i frozen, random, own; LoRI-D trains B dense, a global threshold on |B|
over all modules keeps a share s, B starts again and is trained masked (LoRI-S). Its adapters are
merged by concatenation with uniform weights, ΔW = Σ_j (1/J)·(B_j⊙M_j)·A_j: no B is averaged with
another. Here the warm-up is the first round, and the bank is what a random graph of degree 2 has
brought so far.
"""

from cosim.methods.recipe import RandomGraph, Recipe

RECIPE = Recipe(
    name="lori",
    reference="LoRI-S (arXiv 2504.07448); baseline 'LoRI' of arXiv 2602.20492; random topology",
    projection="frozen_own_seed",
    expansion="magnitude_mask",
    topology=RandomGraph(degree=2),
    aggregation="stacked",
    composition="uniform",
)
