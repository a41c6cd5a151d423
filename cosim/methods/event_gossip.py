"""`event_gossip`: a device speaks when it has moved, and all mix what each of them last said.

Event-triggered gossip (arXiv 2602.19116): after its local steps device i compares x_i = [B; A] with
x̂_i, what it last broadcast, and broadcasts where ‖x_i − x̂_i‖ ≥ τ_t; then x̂_i ← x_i. τ_t falls as
1/√t, with which the rate is that of gossip in every round. Theirs are 69 to 72 % fewer
transmissions for .6 to .8 points of accuracy, on MNIST and Fashion-MNIST.

Of the paper only its abstract and opening were read, and its mixing was not seen. Ours: the mixing
x_i ← x_i + Σ_j w_ij·(x̂_j − x̂_i), which keeps the mean over devices; Metropolis's weights on a
static ring, because a device that meets strangers has no snapshot of them; τ of the root mean
square, so that one number serves adapters of all sizes, and its value, what AdamW moves
a value by in five steps of 2e-3; x̂ = what all begin with; and the beacon of a silent device.
"""

from cosim.methods.aggregation.snapshots import Snapshots
from cosim.methods.composition.single import Single
from cosim.methods.expansion.dense import Dense
from cosim.methods.method import Method
from cosim.methods.projection.trained import Trained
from cosim.methods.sending.on_drift import OnDrift
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.metropolis import Metropolis

METHOD = Method(
    name="event_gossip",
    reference="event-triggered gossip (arXiv 2602.19116); ours: mixing, weights, ring, τ, beacon",
    projection=Trained(),
    expansion=Dense(),
    topology=Ring(),
    sending=OnDrift(),
    weights=Metropolis(),
    aggregation=Snapshots(),
    composition=Single(),
)
