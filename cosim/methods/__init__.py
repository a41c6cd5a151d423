"""The named methods, and what a method from outside is made of.

A new built-in method is a file with a `METHOD` and its three lines below; a new part is a class in
a file of its own slot and its two lines in `method.py`. From outside either is a file and no more.
"""

from cosim.methods.adapter import Adapter, Moments
from cosim.methods.adf_lora import METHOD as ADF_LORA
from cosim.methods.aggregation.slot import Aggregation, Mixing, Speaking
from cosim.methods.air_fedavg import METHOD as AIR_FEDAVG
from cosim.methods.calibration import Calibration, Need
from cosim.methods.centralised import METHOD as CENTRALISED
from cosim.methods.codec.slot import Codec, Coding
from cosim.methods.composition.slot import Composition
from cosim.methods.data.slot import Data
from cosim.methods.dec_lora import METHOD as DEC_LORA
from cosim.methods.decaf import METHOD as DECAF
from cosim.methods.dfl_imperfect import METHOD as DFL_IMPERFECT
from cosim.methods.ef_hc import METHOD as EF_HC
from cosim.methods.event_gossip import METHOD as EVENT_GOSSIP
from cosim.methods.expansion.slot import Choosing, Expansion
from cosim.methods.expert import Expert
from cosim.methods.fedrot_lora import METHOD as FEDROT_LORA
from cosim.methods.ffa_lora import METHOD as FFA_LORA
from cosim.methods.flexatc import METHOD as FLEXATC
from cosim.methods.full_finetune import METHOD as FULL_FINETUNE
from cosim.methods.hard_moe import METHOD as HARD_MOE
from cosim.methods.layout import AdaptedModule, Layout
from cosim.methods.local import METHOD as LOCAL
from cosim.methods.lora import METHOD as LORA
from cosim.methods.lori import METHOD as LORI
from cosim.methods.lori_dense import METHOD as LORI_DENSE
from cosim.methods.message import Blocks, Common, Heard, Mask, Message, Renewed, Seed, Turn, Values
from cosim.methods.method import Method
from cosim.methods.product_sum import METHOD as PRODUCT_SUM
from cosim.methods.projection.slot import Projection
from cosim.methods.proposed import METHOD as PROPOSED
from cosim.methods.proposed_literal import METHOD as PROPOSED_LITERAL
from cosim.methods.proposed_single_cluster import METHOD as PROPOSED_SINGLE_CLUSTER
from cosim.methods.rolora import METHOD as ROLORA
from cosim.methods.salf import METHOD as SALF
from cosim.methods.schedule.slot import Schedule
from cosim.methods.sending.slot import Deciding, Sending
from cosim.methods.state import DeviceState
from cosim.methods.sum_product import METHOD as SUM_PRODUCT
from cosim.methods.tad_lora import METHOD as TAD_LORA
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.slot import Weights
from cosim.methods.workload import Workload

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        LOCAL,
        LORA,
        LORI,
        LORI_DENSE,
        PROPOSED,
        PROPOSED_SINGLE_CLUSTER,
        PROPOSED_LITERAL,
        HARD_MOE,
        CENTRALISED,
        FULL_FINETUNE,
        TAD_LORA,
        ADF_LORA,
        ROLORA,
        FFA_LORA,
        DEC_LORA,
        DECAF,
        FEDROT_LORA,
        SUM_PRODUCT,
        PRODUCT_SUM,
        DFL_IMPERFECT,
        EVENT_GOSSIP,
        EF_HC,
        SALF,
        FLEXATC,
        AIR_FEDAVG,
    )
}

__all__ = [
    "ADF_LORA",
    "AIR_FEDAVG",
    "CENTRALISED",
    "DECAF",
    "DEC_LORA",
    "DFL_IMPERFECT",
    "EF_HC",
    "EVENT_GOSSIP",
    "FEDROT_LORA",
    "FFA_LORA",
    "FLEXATC",
    "FULL_FINETUNE",
    "HARD_MOE",
    "LOCAL",
    "LORA",
    "LORI",
    "LORI_DENSE",
    "METHODS",
    "PRODUCT_SUM",
    "PROPOSED",
    "PROPOSED_LITERAL",
    "PROPOSED_SINGLE_CLUSTER",
    "ROLORA",
    "SALF",
    "SUM_PRODUCT",
    "TAD_LORA",
    "AdaptedModule",
    "Adapter",
    "Aggregation",
    "Blocks",
    "Calibration",
    "Choosing",
    "Codec",
    "Coding",
    "Common",
    "Composition",
    "Data",
    "Deciding",
    "DeviceState",
    "Expansion",
    "Expert",
    "Heard",
    "Layout",
    "Mask",
    "Message",
    "Method",
    "Mixing",
    "Moments",
    "Need",
    "Projection",
    "Renewed",
    "Schedule",
    "Seed",
    "Sending",
    "Speaking",
    "Topology",
    "Turn",
    "Values",
    "Weights",
    "Workload",
]
