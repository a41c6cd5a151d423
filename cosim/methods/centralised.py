"""`centralised`: all devices' rows in one place train one LoRA adapter: the ceiling of averaging.

It minimises (1/M)·Σ_i F_i, eq. 11 of arXiv 2602.20492, over the same mini-batches as the devices
draw, without links or averages in between.
"""

from cosim.methods.aggregation.none import NoAggregation
from cosim.methods.composition.single import Single
from cosim.methods.data.pooled import Pooled
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.topology.none import NoExchange

METHOD = Method(
    name="centralised",
    reference="LoRA (arXiv 2106.09685) on the union of all devices' mini-batches",
    projection=Trained(),
    expansion=Dense(),
    topology=NoExchange(),
    aggregation=NoAggregation(),
    composition=Single(),
    data=Pooled(),
)
