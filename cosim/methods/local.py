"""`local`: every device fine-tunes alone; what exchange is compared with."""

from cosim.methods.aggregation.none import NoAggregation
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.topology.none import NoExchange

METHOD = Method(
    name="local",
    reference="LoRA (arXiv 2106.09685) on each device, no exchange",
    projection=Trained(),
    expansion=Dense(),
    topology=NoExchange(),
    aggregation=NoAggregation(),
    composition=Single(),
)
