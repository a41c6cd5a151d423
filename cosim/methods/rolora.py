"""`rolora`: B and A by turns of one round, and only the one that was trained is sent.

RoLoRA (arXiv 2502.01755): odd rounds train and average B, even rounds A, with the other factor the
same for everybody; a message is half of LoRA's.

Ours: neighbours of a random graph of degree 2 in place of its server. Devices then do not all agree
on a factor before it rests, and its differences stay until its turn comes again. With
`topology: complete` and no losses they agree, as with a server.
"""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.alternating import Alternating
from cosim.methods.topology.random import RandomGraph

METHOD = Method(
    name="rolora",
    reference="RoLoRA (arXiv 2502.01755); ours: neighbours in place of a server, random topology",
    projection=Alternating(interval=1, factors="active"),
    expansion=Dense(),
    topology=RandomGraph(degree=2),
    aggregation=Mean(),
    composition=Single(),
)
