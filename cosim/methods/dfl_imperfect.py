"""`dfl_imperfect`: D-FL over imperfect channels, several mixings a round of what packets bring.

arXiv 2405.12894: after its training a device aggregates J times, ω_i ← Σ_j c_ij·E_ij⊙ω_j, with
E_ij ∈ {0, 1} by packet of the channel i hears j over, E_ii = 1. More mixings bring devices nearer
to consensus and let channel errors add up, so that some J is best; where losses are compensated
(`missing: inverse_probability`, or our `own` and `renormalise`) more is better.

A scenario has the packets sent once with `radio: {packets: one_shot}`; over others nothing is lost
and what remains is `lora` with J mixings. Ours, because the paper's equations were not at hand: 0
for a lost value, a ring with Metropolis's c_ij, J = 3, and adapters in the place of whole models.
"""

from cosim.methods.aggregation.erased_mean import ErasedMean
from cosim.methods.lora import METHOD as LORA
from cosim.methods.schedule.synchronous import Synchronous
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.metropolis import Metropolis

METHOD = LORA.with_(
    name="dfl_imperfect",
    reference="D-FL over imperfect channels (arXiv 2405.12894); ours: its missing values, J and c",
    topology=Ring(),
    schedule=Synchronous(mixings=3),
    weights=Metropolis(),
    aggregation=ErasedMean(),
)
