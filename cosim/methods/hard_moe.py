"""`hard_moe`: one expert a task, and a router that is never wrong. A bound in what it is given.

'Hard-routing MoE' of arXiv 2602.20492: β_k of eq. 15 is 1 for the expert of the question's own
task and 0 for all others. An expert learns from all devices of its task, and every device has all
experts at once: no link can keep one from arriving. Its experts are LoRA's; the paper's figures
are those of full fine-tuning.
"""

from cosim.methods.aggregation.none import NoAggregation
from cosim.methods.composition.oracle import Oracle
from cosim.methods.data.task import ByTask
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.topology.none import NoExchange

METHOD = Method(
    name="hard_moe",
    reference="arXiv 2602.20492, baseline 'Hard-routing MoE', with LoRA experts",
    projection=Trained(),
    expansion=Dense(),
    topology=NoExchange(),
    aggregation=NoAggregation(),
    composition=Oracle(),
    data=ByTask(),
)
