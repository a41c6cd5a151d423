"""`local`: every device fine-tunes alone; what exchange is compared with."""

from cosim.methods.recipe import Recipe
from cosim.methods.topologies import NoExchange

RECIPE = Recipe(
    name="local",
    reference="LoRA (arXiv 2106.09685) on each device, no exchange",
    projection="trainable",
    expansion="dense",
    topology=NoExchange(),
    aggregation="none",
    composition="single",
)
