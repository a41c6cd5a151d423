"""`centralised`: all devices' rows in one place train one LoRA adapter: the ceiling of averaging.

It minimises (1/M)·Σ_i F_i, eq. 11 of arXiv 2602.20492, over the same mini-batches as the devices
draw, without links or averages in between.
"""

from cosim.methods.recipe import Recipe
from cosim.methods.topologies import NoExchange

RECIPE = Recipe(
    name="centralised",
    reference="LoRA (arXiv 2106.09685) on the union of all devices' mini-batches",
    projection="trainable",
    expansion="dense",
    topology=NoExchange(),
    aggregation="none",
    composition="single",
    data="pooled",
)
