"""`adf_lora`: B and A by turns of five rounds, both averaged where two devices meet.

ADF-LoRA (arXiv 2511.18291): TAD-LoRA's alternation with a fixed T, best at 5, over encounters: each
pair meets with probability 0.1 a round and averages both factors.

Ours: a device meets one other a round at most, the strict reading of a pairwise average. Where a
device may meet several, `topology: {graph: erdos_renyi, probability: 0.1}` with the same weights
averages them at once; of two who meet, Metropolis's weights are a half each.
"""

from cosim.methods.projection.alternating import Alternating
from cosim.methods.tad_lora import METHOD as TAD_LORA
from cosim.methods.topology.pairs import Pairs

METHOD = TAD_LORA.with_(
    name="adf_lora",
    reference="ADF-LoRA (arXiv 2511.18291), T = 5; ours: a matching of those that meet, B first",
    projection=Alternating(interval=5),
    topology=Pairs(probability=0.1),
)
