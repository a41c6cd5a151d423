"""`lori_dense`: LoRI without its mask (LoRI-D of arXiv 2504.07448).

Merged with w = 1.6/J, which is LoRI's own 0.4 for four adapters; for three they have 0.5, and the
rule 0.53.
"""

from cosim.methods.composition.uniform import UniformMerge
from cosim.methods.expansion.dense import Dense
from cosim.methods.lori import METHOD as LORI

METHOD = LORI.with_(
    name="lori_dense",
    reference="LoRI-D (arXiv 2504.07448); random topology",
    expansion=Dense(),
    composition=UniformMerge(total=1.6),
)
