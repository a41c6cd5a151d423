"""`sum_product`: the sum of the products B·A, of which every device keeps the best rank r.

SP of arXiv 2508.01348, as FlexLoRA does it: Z = Σ_j w_j·B_j·A_j has no cross terms, and what is
sent back errs by what the truncation to rank r leaves. There a server truncates once; ours, without
a server, every device truncates its own Z, on a complete graph the same one for all who hear all.
"""

from cosim.methods.aggregation.product_svd import ProductSvd
from cosim.methods.lora import METHOD as LORA
from cosim.methods.topology.complete import Complete

METHOD = LORA.with_(
    name="sum_product",
    reference="SP of arXiv 2508.01348; ours: every device in the server's place",
    topology=Complete(),
    aggregation=ProductSvd(),
)
