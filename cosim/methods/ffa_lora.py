"""`ffa_lora`: A is drawn once for all devices and stays; B alone is trained, sent and averaged.

FFA-LoRA (arXiv 2403.12313): with one A for everybody the mean of B·A is the mean of B times A, and
a message is half of LoRA's. A is nobody's message: all have it from the start.

Ours: neighbours of a random graph of degree 2 in place of its server.
"""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.frozen import Frozen
from cosim.methods.topology.random import RandomGraph

METHOD = Method(
    name="ffa_lora",
    reference="FFA-LoRA (arXiv 2403.12313); ours: neighbours in place of a server, random topology",
    projection=Frozen(seed="shared"),
    expansion=Dense(),
    topology=RandomGraph(degree=2),
    aggregation=Mean(),
    composition=Single(),
)
