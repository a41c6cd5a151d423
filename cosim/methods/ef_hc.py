"""`ef_hc`: an edge is used both ways where either end has moved, by the rate of its own links.

EF-HC (arXiv 2204.03726, journal 2211.12640; the authors' code was read): with n values,
v_i = 1 where (‖w_i − ŵ_i‖²/n)^½ ≥ r·ρ_i·γ_k, and then ŵ_i ← w_i;
w_i ← w_i + Σ_{j: v_i or v_j} β_ij·(w_j − w_i), β_ij = 1/(1 + max(d_i, d_j)), γ_k = 1/√(1 + k).
Slow devices speak less: ρ_i = 1/bandwidth_i. Present states are mixed and not snapshots, so that
the mean over devices stays where nothing is lost. β are Metropolis's weights, and β_ij of an edge
that is not used stays with the device.

In their code bandwidths have the mean 5000 and r = .01·5000; here a rate is in shares of the mean,
so that r is .01 as it stands. Their baseline of one threshold for all, which as released never
fires, is `sending: {name: on_drift, edge: either}`. Ours: the rate is what Lemma 1 brings to the
nearest devices, as many as a device has neighbours; local steps come before the mixing and not
beside it; x = [B; A] begins the same for all devices; a ring, where they have random geometric
graphs (`{graph: erdos_renyi, probability: 1, range_m: …}`); and the beacon of a silent device.
"""

from cosim.methods.aggregation.mean import Mean
from cosim.methods.event_gossip import METHOD as EVENT_GOSSIP
from cosim.methods.sending.on_drift import OnDrift

METHOD = EVENT_GOSSIP.with_(
    name="ef_hc",
    reference="EF-HC (arXiv 2204.03726); ours: rates by Lemma 1, ring, common start, beacon",
    sending=OnDrift(by="rate", edge="either"),
    aggregation=Mean(),
)
