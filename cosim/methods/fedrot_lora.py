"""`fedrot_lora`: what a device hears is turned towards its own factors before it is averaged.

FedRot-LoRA (arXiv 2602.23638): B·R and Rᵀ·A have the product of B and A, so that a rotation R is
free, and the one that aligns factors lowers what averaging them apart errs by. λ between 0.4 and
0.6 was best in the paper. Theirs is a server, whose last model is everybody's reference. Ours is
the form without one: a receiver turns what it hears towards its own factors, over the random graph
of `lora`. `{name: rotated_mean, reference: own_previous}` on a `complete` graph is the paper's.
"""

from cosim.methods.aggregation.rotated_mean import RotatedMean
from cosim.methods.lora import METHOD as LORA

METHOD = LORA.with_(
    name="fedrot_lora",
    reference="FedRot-LoRA (arXiv 2602.23638); ours: without a server, the receiver as reference",
    aggregation=RotatedMean(),
)
