"""`tad_lora`: B and A by turns of T rounds, both mixed every round (topology-aware alternation).

TAD-LoRA (arXiv 2602.00451): φ(t) = ⌊t/T⌋ mod 2 says which factor's local steps are taken; then
A_i ← Σ_j W_ij·A_j and B_i ← Σ_j W_ij·B_j, the idle factor too, so that devices agree on it and the
cross term Σ_j W_ij·(B_j − B̄)(A_j − Ā) falls. The best T grows as Θ(1/√(1 − ρ)) with the contraction
ρ of the mixing. Its graphs are G(n, p) of ten devices, new every round.

Theirs, second-hand: the mixing of both factors, p from .5 to .01, B = 0 and one A for all. Not seen
in the paper, and ours: Metropolis's weights (a reproduction has them), B first, p = 0.1, and T = 2,
which is `best_interval` for ρ = .643 of ten devices at that p with constant 1. T is a number here;
`interval: connectivity` has it follow from the topology and the weights, `realised` from what the
scenario's links really let devices mix. The optimiser's state of a factor waits while it is idle,
where the reproduction begins each round without one.
"""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.alternating import Alternating
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.weights.metropolis import Metropolis

METHOD = Method(
    name="tad_lora",
    reference="TAD-LoRA (arXiv 2602.00451); ours: Metropolis weights, B first, T = 2 at p = 0.1",
    projection=Alternating(interval=2),
    expansion=Dense(),
    topology=ErdosRenyi(probability=0.1),
    weights=Metropolis(),
    aggregation=Mean(),
    composition=Single(),
)
