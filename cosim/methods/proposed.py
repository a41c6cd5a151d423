"""`proposed`: sparse-and-orthogonal LoRA, aggregated in clusters, read as implicit experts.

The parts of `proposed_single_cluster`, whose file maps them to the symbols of arXiv 2602.20492,
and its topology of section IV-C.
"""

from cosim.methods.proposed_single_cluster import RECIPE as SINGLE_CLUSTER

RECIPE = SINGLE_CLUSTER.model_copy(
    update={"name": "proposed", "reference": "arXiv 2602.20492, 'Proposed Method', as corrected"}
)
