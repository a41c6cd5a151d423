"""`proposed`: sparse-and-orthogonal LoRA, aggregated in clusters, read as implicit experts.

The parts of `proposed_single_cluster`, whose file maps them to the symbols of arXiv 2602.20492,
and its topology: AGNES clusters under S_max, here 0.1, and Lemma 1's power constraint; every E = 3
rounds, and at the end, clusters exchange their experts. Ten devices in three clusters then send
6 % of LoRA's bits as updates and 6 % as experts in the long run; every other round it would be 9 %,
and with masks more than the 13.4 % of arXiv 2602.20492.
"""

from cosim.methods.proposed_single_cluster import METHOD as SINGLE_CLUSTER
from cosim.methods.topology.clusters import Clusters

METHOD = SINGLE_CLUSTER.with_(
    name="proposed",
    reference="arXiv 2602.20492, 'Proposed Method', as corrected",
    topology=Clusters(max_collision_rate=0.1, exchange_every=3),
)
