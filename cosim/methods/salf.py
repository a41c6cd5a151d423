"""`salf`: a device that the compute deadline stops sends the last blocks, which it has reached.

SALF (arXiv 2403.18375): gradients come from the last layer to the first, so that a straggler has
those of the last layers by the deadline, and the mean is taken layer by layer over whoever has one,
with 1/(1 − p) where p is the chance that nobody has. One local step a round (`training.steps: 1`).
The paper's layers are blocks here, each with all of its adapted modules; head and embeddings are
frozen. `training.compute_deadline_s` is the deadline; other methods lose a whole round by it.

Ours: neighbours in the place of a server, over the random graph of `lora`; a depth that follows
from FLOP instead of being drawn, so that q is counted; several local steps; and the weighting
`inverse_probability`, Horvitz and Thompson's. `released` is what the authors' code does.
"""

from cosim.methods.aggregation.layerwise_mean import LayerwiseMean
from cosim.methods.lora import METHOD as LORA

METHOD = LORA.with_(
    name="salf",
    reference="SALF (arXiv 2403.18375); ours: without a server, blocks reached by FLOP",
    aggregation=LayerwiseMean(),
)
