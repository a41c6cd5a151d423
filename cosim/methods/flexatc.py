"""`flexatc`: local steps corrected by control variates, and now and then mixing, by a common coin.

FlexATC (arXiv 2602.16148): adapt, then combine, with a coin θ_t of probability p that all devices
share. x̂_i = x_i − α·(g_i − h_i); where θ_t = 1 x_i = (1 − β)·x̂_i + β·Σ_j w_ij·x̂_j and
h_i ← h_i + (p/α)·(x_i − x̂_i), else x_i = x̂_i. α is `training.learning_rate`, of plain SGD. With
p = 1 and β = ½ it is exact diffusion, over the complete graph with β = 1 Scaffnew; with h = 0 it
would be D-SGD.

Of the paper only its abstract and opening were read; the equations are those of its family
(decentralised ProxSkip, arXiv 2310.07983), and its own parametrisation was not seen. Ours:
K = `training.steps` local steps to a coin, with p/(α·K) for p/α (K = 1 is the family's); p = ½ and
β = ½; Metropolis's weights on a ring; edges that count only where both directions arrived, without
which Σ_i h_i is not 0 and the method does not converge; and no proximal step, as nothing here has a
part that is not smooth. Stochastic gradients leave it within a distance of the order of α.

h is of the factors B and A, whose product alone has a meaning: where A is frozen and shared
(`projection: {name: frozen, seed: shared}`), or all parameters are trained, devices agree on what
it is of.
"""

from cosim.methods.aggregation.control_variate import ControlVariate
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.sending.by_coin import ByCoin
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.metropolis import Metropolis

METHOD = Method(
    name="flexatc",
    reference="FlexATC (arXiv 2602.16148) by its family's equations; ours: K, p, β, ring, weights",
    projection=Trained(),
    expansion=Dense(),
    topology=Ring(),
    sending=ByCoin(),
    weights=Metropolis(absent="mutual"),
    aggregation=ControlVariate(),
    composition=Single(),
)
