"""`proposed`: sparse-and-orthogonal LoRA, aggregated in clusters, read as implicit experts.

The parts of `proposed_single_cluster`, whose file maps them to the symbols of arXiv 2602.20492,
and its topology: AGNES clusters under S_max, here 0.1, and Lemma 1's power constraint; every E = 2
rounds, and at the end, clusters exchange their experts.
"""

from cosim.methods.proposed_single_cluster import RECIPE as SINGLE_CLUSTER
from cosim.methods.recipe import Clusters

RECIPE = SINGLE_CLUSTER.model_copy(
    update={
        "name": "proposed",
        "reference": "arXiv 2602.20492, 'Proposed Method', as corrected",
        "topology": Clusters(max_collision_rate=0.1, exchange_every=2),
    }
)
