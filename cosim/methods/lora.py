"""`lora`: A and B are trained, sent every round and averaged factor by factor (Dec-LoRA)."""

from cosim.methods.recipe import Recipe
from cosim.methods.topologies import RandomGraph

RECIPE = Recipe(
    name="lora",
    reference="arXiv 2602.20492, baseline 'LoRA' (eq. 9-10); random topology",
    projection="trainable",
    expansion="dense",
    topology=RandomGraph(degree=2),
    aggregation="mean",
    composition="single",
)
