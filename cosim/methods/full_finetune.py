"""`full_finetune`: every parameter is trained, sent every round and averaged (FPFT).

ΔW of arXiv 2602.20492 without its decomposition (eq. 2): Q counts all parameters of the base
model, and a device keeps a copy of them with its optimiser's moments.
"""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.expansion.every_parameter import EveryParameter
from cosim.methods.method import Method
from cosim.methods.projection.none import NoProjection
from cosim.methods.topology.random import RandomGraph

METHOD = Method(
    name="full_finetune",
    reference="arXiv 2602.20492, baseline 'FPFT' (eq. 9-10 over all parameters); random topology",
    projection=NoProjection(),
    expansion=EveryParameter(),
    topology=RandomGraph(degree=2),
    aggregation=Mean(),
    composition=Single(),
)
