"""`full_finetune`: every parameter is trained, sent every round and averaged (FPFT).

ΔW of arXiv 2602.20492 without its decomposition (eq. 2): Q counts all parameters of the base
model, and a device keeps a copy of them with its optimiser's moments.
"""

from cosim.methods.recipe import Recipe
from cosim.methods.topologies import RandomGraph

RECIPE = Recipe(
    name="full_finetune",
    reference="arXiv 2602.20492, baseline 'FPFT' (eq. 9-10 over all parameters); random topology",
    projection="none",
    expansion="every_parameter",
    topology=RandomGraph(degree=2),
    aggregation="mean",
    composition="single",
)
