"""`dec_lora`: A and B are trained together and mixed over a static graph by its Laplacian.

Dec-LoRA (arXiv 2501.15361): K local steps on both factors, then A_i ← Σ_j Q_ij·A_j and
B_i ← Σ_j Q_ij·B_j with Q symmetric, doubly stochastic and the same in every round;
Q = I − 2L/(3·λmax(L)) over Erdős-Rényi graphs. Ten devices in a ring then keep 2/3 of their own and
take 1/6 of each neighbour's.

Ours: the same rule on its ring, whose coefficients the paper does not state. A static random graph
is `topology: {graph: erdos_renyi, probability: 0.5, redraw: false}`. `lora`, which also mixes both
factors, has another graph every round and weighs by rows. Its four bits are those of a quantised
base model, and not of messages; messages of four bits are `codec: {name: rounded, bits: 4}`, ours.
"""

from cosim.methods.lora import METHOD as LORA
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.laplacian import Laplacian

METHOD = LORA.with_(
    name="dec_lora",
    reference="Dec-LoRA (arXiv 2501.15361); ours: its Laplacian rule on its ring",
    topology=Ring(),
    weights=Laplacian(),
)
