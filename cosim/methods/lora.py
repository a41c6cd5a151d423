"""`lora`: A and B are trained, sent every round and averaged factor by factor (Dec-LoRA)."""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.topology.random import RandomGraph

METHOD = Method(
    name="lora",
    reference="arXiv 2602.20492, baseline 'LoRA' (eq. 9-10); random topology",
    projection=Trained(),
    expansion=Dense(),
    topology=RandomGraph(degree=2),
    aggregation=Mean(),
    composition=Single(),
)
