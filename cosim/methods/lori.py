"""`lori`: a frozen A, a tenth of B by magnitude after a dense warm-up, experts merged at the end.

LoRI (arXiv 2504.07448): A_i frozen, random, own; LoRI-D trains B dense, a global threshold on |B|
over all modules keeps a share s, B starts again and is trained masked (LoRI-S). Its adapters are
merged by concatenation, ΔW = Σ_j w·(B_j⊙M_j)·A_j: no B is averaged with another. Here the warm-up
is the first round, and the bank is what a random graph of degree 2 has brought so far.

Theirs: in the scripts beside the paper (juzhengz/LoRI, scripts/merge_*_loras.sh) LoRI-S has w = 0.3
for four adapters and 0.4 for three, that is 1.2/J, a sum above 1. Ours: the same rule for any other
J, at most 1 each, so that a device that has heard nobody answers as it was trained. J counts
devices, as every device has an adapter of its own: where several are of one task, they share the
weight of LoRI's one adapter a task. The mean, 1/J, was never LoRI's (`merge: {total: 1}`).
"""

from cosim.methods.aggregation.stacked import Stacked
from cosim.methods.composition.uniform import UniformMerge
from cosim.methods.expansion.magnitude_mask import MagnitudeMask
from cosim.methods.method import Method
from cosim.methods.projection.frozen import Frozen
from cosim.methods.topology.random import RandomGraph

METHOD = Method(
    name="lori",
    reference="LoRI-S (arXiv 2504.07448); baseline 'LoRI' of arXiv 2602.20492; random topology",
    projection=Frozen(seed="own"),
    expansion=MagnitudeMask(),
    topology=RandomGraph(degree=2),
    aggregation=Stacked(),
    composition=UniformMerge(total=1.2),
)
