"""`product_sum`: the product of the sums of B and of A, as if one server had averaged both.

PS of arXiv 2508.01348, as FedIT does it: (Σ_j w_j·B_j)·(Σ_j w_j·A_j), which errs by products of one
device's B with another's A, and has nothing to truncate. Ours, without a server: every device
averages what it heard on a complete graph, the same for all who hear all.
"""

from cosim.methods.lora import METHOD as LORA
from cosim.methods.topology.complete import Complete

METHOD = LORA.with_(
    name="product_sum",
    reference="PS of arXiv 2508.01348; ours: every device in the server's place",
    topology=Complete(),
)
