"""`decaf`: devices agree on the product of A and B, and take it apart again by a truncated SVD.

DeCAF (arXiv 2505.21382): Z_i = Σ_j π_ij·B_j·A_j, and of its truncated SVD B_i = U·√Σ, A_i = √Σ·Vᵀ.
Where devices average factor by factor, products of one's B with another's A come in; here none do.
Theirs: rings, complete and bipartite graphs with a doubly stochastic Π, r = 2 or 4, 10 devices.
Ours: the random graph and the weights by rows of `lora`, so that the two differ in the mixing
alone; how Σ is split, what B = 0 becomes, and that the optimiser's moments are reset, of which the
paper's abstract says nothing.
"""

from cosim.methods.aggregation.product_svd import ProductSvd
from cosim.methods.lora import METHOD as LORA

METHOD = LORA.with_(
    name="decaf",
    reference="DeCAF (arXiv 2505.21382); ours: graph and weights of 'lora', split of Σ, moments",
    aggregation=ProductSvd(),
)
